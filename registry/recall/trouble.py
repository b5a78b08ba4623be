"""What is said of mails that do not arrive. It names recipients, never a participant."""

from __future__ import annotations

from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext, ngettext

from .letter import Rendered
from .models import Digest


@dataclass(frozen=True)
class Trouble:
    """An address that mails came back from; ``stopped``: none is sent there any more."""

    name: str
    address: str
    said: str
    stopped: bool


@dataclass(frozen=True)
class Notice:
    """A mail of the kind ``bounces`` (with ``troubles``) or ``nobody`` about a site."""

    kind: str
    site: str
    link: str
    language: str
    troubles: tuple[Trouble, ...] = ()

    @property
    def subject(self) -> str:
        if self.kind == Digest.Kind.NOBODY:
            return gettext("%(site)s: nobody gets the daily mail") % {"site": self.site}
        count = len(self.troubles)
        return ngettext(
            "%(site)s: mails to %(count)d address come back",
            "%(site)s: mails to %(count)d addresses come back",
            count,
        ) % {"site": self.site, "count": count}


def render(notice: Notice) -> Rendered:
    """Subject, plain text and HTML of a notice, in its language."""
    with translation.override(notice.language):
        text, html = (
            render_to_string(f"emails/trouble.{part}", {"letter": notice})
            for part in ("txt", "html")
        )
        return Rendered(" ".join(notice.subject.split()), text, html)
