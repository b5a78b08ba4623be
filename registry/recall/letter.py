"""What a recall mail says. A letter can hold nothing but what stands here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from registry.access.models import Site
from registry.visits.models import Visit

from . import ics
from .rules import URGENCY, Kind

# What the site is asked to do, group by group.
HEADINGS = {
    Kind.OVERDUE: _("Overdue: the window has closed"),
    Kind.CLOSING: _("The window closes within 7 days"),
    Kind.OPEN: _("The window is open"),
    Kind.COMING_UP: _("The window opens within 7 days"),
}
REQUESTS = {
    Kind.OVERDUE: _("See the participant as soon as possible, or record why the visit was missed."),
    Kind.CLOSING: _("Make sure that the participant comes before the window closes."),
    Kind.OPEN: _("Invite the participant, and enter the visit when it has taken place."),
    Kind.COMING_UP: _("Find an appointment within the window."),
}


@dataclass(frozen=True)
class Line:
    """One visit of a letter: study number, name of the visit, its window, the page's address."""

    study_number: str
    visit: str
    opens_on: date
    closes_on: date
    link: str


@dataclass(frozen=True)
class Group:
    """The visits with which the same is to be done."""

    kind: Kind
    lines: tuple[Line, ...]

    @property
    def heading(self) -> str:
        return gettext(HEADINGS[self.kind])

    @property
    def request(self) -> str:
        return gettext(REQUESTS[self.kind])


@dataclass(frozen=True)
class Letter:
    """A site's recall mail of a day: study numbers, visit names, windows and links."""

    site: str
    day: date
    groups: tuple[Group, ...]
    link: str
    language: str

    @property
    def count(self) -> int:
        return sum(len(group.lines) for group in self.groups)

    @property
    def overdue(self) -> int:
        return sum(len(group.lines) for group in self.groups if group.kind == Kind.OVERDUE)

    @property
    def subject(self) -> str:
        """The site and how many visits: nothing about anybody."""
        subject = ngettext(
            "%(site)s: %(count)d visit needs you", "%(site)s: %(count)d visits need you", self.count
        ) % {"site": self.site, "count": self.count}
        if self.overdue:
            subject += gettext(", %(count)d overdue") % {"count": self.overdue}
        return subject


@dataclass(frozen=True)
class Rendered:
    """A letter ready to go, with its calendar file if it has one."""

    subject: str
    text: str
    html: str
    calendar: ics.File | None = None


def write(site: Site, day: date, visits: Iterable[tuple[Kind, Visit]], language: str) -> Letter:
    """The letter of a site's day about ``visits``, each with where it stands; urgent ones first."""
    ordered = sorted(
        visits,
        key=lambda pair: (
            URGENCY[pair[0]],
            pair[1].closes_on,
            pair[1].participant.study_number,
        ),
    )
    with translation.override(language):
        groups = tuple(
            Group(kind, tuple(_line(visit) for _kind, visit in pairs))
            for kind, pairs in groupby(ordered, key=lambda pair: pair[0])
        )
    return Letter(site.name, day, groups, absolute(reverse("recalls")), language)


def render(letter: Letter) -> Rendered:
    """Subject, plain text and HTML of a letter, in its language."""
    with translation.override(letter.language):
        subject, text, html = (
            render_to_string(f"emails/recall.{part}", {"letter": letter})
            for part in ("subject.txt", "txt", "html")
        )
    return Rendered(" ".join(subject.split()), text, html)


def _line(visit: Visit) -> Line:
    return Line(
        study_number=visit.participant.study_number,
        visit=str(visit),
        opens_on=visit.opens_on,
        closes_on=visit.closes_on,
        link=absolute(reverse("visit", args=[visit.pk])),
    )


def absolute(path: str) -> str:
    """The whole address of a page."""
    return settings.SITE_URL.rstrip("/") + path
