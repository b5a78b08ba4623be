"""What a recall mail says. A letter can hold nothing but what stands here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext, ngettext

from registry.access.models import Site

from . import ics
from .kinds import ABOUT, ESCALATIONS, URGENCY, Kind

PAUSE_HERE = "{pause}"  # stands in a rendered letter where each reader's own link goes
LONGEST = 100  # lines of a letter, the most urgent: a mail stays under 100 kB


@dataclass(frozen=True)
class Line:
    """One record of a letter: study number, name, days and the page's address.

    ``first`` is the day since when it waits or the window opens, ``last`` when that closes.
    """

    study_number: str
    what: str
    first: date
    last: date | None
    path: str

    @property
    def link(self) -> str:
        return absolute(self.path)


@dataclass(frozen=True)
class Group:
    """With which the same is to be done: how many, and the lines of those that are named."""

    kind: Kind
    count: int
    lines: tuple[Line, ...]
    page: str

    @property
    def heading(self) -> str:
        return gettext(ABOUT[self.kind].heading)

    @property
    def request(self) -> str:
        return gettext(ABOUT[self.kind].request)

    @property
    def more(self) -> int:
        """How many are counted and not named."""
        return self.count - len(self.lines)

    @property
    def link(self) -> str:
        """The page that lists them all."""
        return absolute(f"{self.page}?kind={self.kind}")

    @property
    def bad(self) -> bool:
        return self.kind in (Kind.OVERDUE, *ESCALATIONS)


@dataclass(frozen=True)
class Letter:
    """A site's recall mail of a day: counts, study numbers, names of visits, days and links.

    ``readers`` are the names of everybody to whom it goes.
    """

    site: str
    day: date
    groups: tuple[Group, ...]
    readers: tuple[str, ...]
    link: str
    language: str

    @property
    def count(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def overdue(self) -> int:
        return sum(group.count for group in self.groups if group.bad)

    @property
    def tally(self) -> str:
        """How much there is to do; an escalation, in a mail of its own, says that it is one."""
        count = {"count": self.count}
        if self.groups[0].kind in ESCALATIONS:
            escalated = ngettext(
                "%(count)d visit escalated to you", "%(count)d visits escalated to you", self.count
            )
            return escalated % count
        tally = ngettext("%(count)d recall", "%(count)d recalls", self.count) % count
        if self.overdue:
            tally += gettext(", %(count)d overdue") % {"count": self.overdue}
        return tally

    @property
    def subject(self) -> str:
        """The site and how much there is to do: nothing about anybody."""
        return gettext("%(site)s: %(tally)s") % {"site": self.site, "tally": self.tally}


@dataclass(frozen=True)
class Rendered:
    """A letter ready to go, with its calendar file if it has one."""

    subject: str
    text: str
    html: str
    calendar: ics.File | None = None

    def for_reader(self, pause: str) -> Rendered:
        """The letter with the reader's own link that pauses it, where it has a place for one."""
        text, html = (part.replace(PAUSE_HERE, pause) for part in (self.text, self.html))
        return replace(self, text=text, html=html)


def write(
    site: Site,
    day: date,
    counts: Mapping[Kind, int],
    lines: Iterable[tuple[Kind, Line]],
    language: str,
    *,
    page: str,
    readers: Iterable[str],
) -> Letter:
    """The letter of a site's day: how many of each kind, and the lines of the first of them.

    ``page`` is the path of the page that lists them all.
    """
    named: dict[Kind, list[Line]] = {}
    for kind, line in lines:
        named.setdefault(kind, []).append(line)
    groups = tuple(
        Group(kind, counts[kind], tuple(named.get(kind, ())), page)
        for kind in sorted(counts, key=URGENCY.__getitem__)
    )
    return Letter(site.name, day, groups, tuple(readers), absolute(reverse("recalls")), language)


def render(letter: Letter, *, can_pause: bool = False) -> Rendered:
    """Subject, plain text and HTML of a letter, in its language.

    With ``can_pause`` it says how to pause it, and each reader's link is still to be put in.
    """
    given = {"letter": letter, "pause": PAUSE_HERE if can_pause else ""}
    with translation.override(letter.language):
        subject, text, html = (
            render_to_string(f"emails/recall.{part}", given)
            for part in ("subject.txt", "txt", "html")
        )
    return Rendered(" ".join(subject.split()), text, html)


def absolute(path: str) -> str:
    """The whole address of a page."""
    return settings.SITE_URL.rstrip("/") + path
