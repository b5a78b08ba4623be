"""What the mail of an invitation says. A notice can hold nothing but what stands here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from registry.access.models import Site
from registry.core.dates import show_long_date

from . import ics
from .invitation import Invitation
from .letter import Rendered, absolute


class News(StrEnum):
    """What happened to an appointment."""

    BOOKED = "booked"
    CHANGED = "changed"
    OFF = "off"


SUBJECTS = {
    News.BOOKED: _("%(site)s: study visit on %(when)s"),
    News.CHANGED: _("%(site)s: study visit changed, now on %(when)s"),
    News.OFF: _("%(site)s: study visit no longer planned, %(when)s"),
}
HEADINGS = {
    News.BOOKED: _("A study visit is booked"),
    News.CHANGED: _("A study visit has changed"),
    News.OFF: _("A study visit is no longer planned"),
}
REQUESTS = {
    News.BOOKED: _("Take it into your calendar with this mail. The visit's page says where it is."),
    News.CHANGED: _(
        "Time or place has changed. Take the change into your calendar with this mail. The visit's"
        " page says where it is."
    ),
    News.OFF: _("Take it out of your calendar with this mail, if that has not happened by itself."),
}
# What calendars show beside the time.
ABOUT = _(
    "Which visit it is, and where, stands on its page. Answering changes nothing in the registry."
)


@dataclass(frozen=True)
class Notice:
    """What is told of one appointment: site, time, study number, name of the visit, link.

    Not where it is: people may type an address there. A site that wants counts only has neither
    study number nor visit named.
    """

    news: News
    site: str
    when: str
    study_number: str
    visit: str
    link: str
    language: str

    @property
    def subject(self) -> str:
        """Site and time: nothing about anybody."""
        return gettext(SUBJECTS[self.news]) % {"site": self.site, "when": self.when}

    @property
    def heading(self) -> str:
        return gettext(HEADINGS[self.news])

    @property
    def request(self) -> str:
        return gettext(REQUESTS[self.news])


def write(
    site: Site, invitation: Invitation, *, known: bool, language: str, counts_only: bool
) -> Notice:
    """The notice of an invitation; ``known``: its reader was told of the visit before."""
    news = News.OFF if invitation.cancelled else News.CHANGED if known else News.BOOKED
    with translation.override(language):
        local = timezone.localtime(invitation.booked_at, site.zone)
        return Notice(
            news=news,
            site=site.name,
            when=f"{show_long_date(local.date())}, {local:%H:%M} {local.tzname()}",
            study_number="" if counts_only else invitation.visit.participant.study_number,
            visit="" if counts_only else str(invitation.visit),
            link=absolute(reverse("visit", args=[invitation.visit_id])),
            language=language,
        )


def render(notice: Notice, invitation: Invitation, address: str) -> Rendered:
    """Subject, plain text, HTML and calendar file of a notice to ``address``, in its language."""
    with translation.override(notice.language):
        subject, text, html = (
            render_to_string(f"emails/invitation.{part}", {"letter": notice})
            for part in ("subject.txt", "txt", "html")
        )
        entry = ics.Entry(
            method=invitation.told.method,
            uid=invitation.uid,
            sequence=invitation.sequence,
            at=invitation.booked_at,
            stamped_at=invitation.at,
            summary=gettext("Study visit"),
            description="\n".join([gettext(ABOUT), notice.link]),  # not all show the link itself
            location=notice.site,
            link=notice.link,
            sender=settings.DEFAULT_FROM_EMAIL,
            recipient=address,
        )
    return Rendered(" ".join(subject.split()), text, html, ics.write(entry))
