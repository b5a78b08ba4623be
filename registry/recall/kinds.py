"""The kinds of recall: what each tells, from which days, to whom, and in which mail.

Source of the days: the protocol's recall plan. A site may tune them (:mod:`.tuning`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext_noop as _

from registry.access.roles import Role


class Kind(StrEnum):
    """What a recall says, the most urgent first."""

    ESCALATED_TWICE = "escalated_twice"
    ESCALATED = "escalated"
    OVERDUE = "overdue"
    CLOSING = "closing"
    CONFIRM_HEALING = "confirm_healing"
    CHECK_ULCERS = "check_ulcers"
    OPEN = "open"
    CONTACT = "contact"
    FILM_SENT_BACK = "film_sent_back"
    CONSENT = "consent"
    QUERY = "query"
    COMING_UP = "coming_up"
    FILM_UNREAD = "film_unread"


URGENCY = {kind: place for place, kind in enumerate(Kind)}
# Their mail goes at once and on its own, also on days without a daily mail.
ESCALATIONS = (Kind.ESCALATED, Kind.ESCALATED_TWICE)


@dataclass(frozen=True)
class Setting:
    """How a site uses a kind: ``days`` from the day it counts from, and the ``roles`` told."""

    days: tuple[int, ...]
    roles: tuple[Role, ...]
    on: bool = True


@dataclass(frozen=True)
class About:
    """A kind's words: what its days count, its group's heading in a mail, what is to be done.

    ``listed_at``: the name of the page that lists such work, and its query string.
    """

    counted: str
    heading: str
    request: str
    listed_at: tuple[str, str]
    standard: Setting


_SITE = (Role.COORDINATOR, Role.INVESTIGATOR)
_OVERDUE, _DUE, _COMING = ("work_overdue", ""), ("work_due", ""), ("work_coming", "")

ABOUT: Mapping[Kind, About] = {
    Kind.ESCALATED_TWICE: About(
        _("days after the window has closed"),
        _("Overdue for very long"),
        _("Settle with the site how it goes on with these participants."),
        _OVERDUE,
        Setting((60,), (Role.DATA_MANAGER,)),
    ),
    Kind.ESCALATED: About(
        _("days after the window has closed"),
        _("Overdue for long"),
        _("See to it that the participant is reached, or record why the visit was missed."),
        _OVERDUE,
        Setting((30,), (Role.INVESTIGATOR,)),
    ),
    Kind.OVERDUE: About(
        _("days after the window has closed"),
        _("Overdue: the window has closed"),
        _("See the participant as soon as possible, or record why the visit was missed."),
        _OVERDUE,
        Setting((7, 21, 35, 49), _SITE),
    ),
    Kind.CLOSING: About(
        _("days before the window closes"),
        _("The window closes soon"),
        _("Make sure that the participant comes before the window closes."),
        _DUE,
        Setting((7,), _SITE),
    ),
    Kind.CONFIRM_HEALING: About(
        _("days after the window opens"),
        _("Healing to be confirmed"),
        _("See the leg again, and record whether the ulcer is still closed."),
        _DUE,
        Setting((0,), _SITE),
    ),
    Kind.CHECK_ULCERS: About(
        _("days after the window opens"),
        _("Ulcers to be checked"),
        _("See the leg, and assess each ulcer."),
        _DUE,
        Setting((0,), _SITE),
    ),
    Kind.OPEN: About(
        _("days after the window opens"),
        _("The window is open"),
        _("Invite the participant, and enter the visit when it has taken place."),
        _DUE,
        Setting((0,), _SITE),
    ),
    Kind.CONTACT: About(
        _("days after the window has closed, and then after each attempt"),
        _("Nobody has been reached: an attempt to record"),
        _("Try to reach the participant, and record the attempt in the log of contacts."),
        _OVERDUE,
        Setting((63, 14), _SITE),
    ),
    Kind.FILM_SENT_BACK: About(
        _("days after the reader found the film unreadable"),
        _("Films that could not be read"),
        _("Upload a better copy, or repeat the film if the protocol and the participant allow it."),
        ("work_films", ""),
        Setting((0, 14), (Role.COORDINATOR,)),
    ),
    Kind.CONSENT: About(
        _("days after the new version came into force"),
        _("Consent to be renewed"),
        _("Have the new version of the consent signed: nothing can be entered until it is."),
        ("participants", ""),
        Setting((0, 30), _SITE),
    ),
    Kind.QUERY: About(
        _("days after the question was asked"),
        _("Questions that wait for an answer"),
        _("Correct the data, or answer."),
        ("queries", "?owner=site"),
        Setting((14,), _SITE),
    ),
    Kind.COMING_UP: About(
        _("days before the window opens"),
        _("The window opens soon"),
        _("Find an appointment within the window."),
        _COMING,
        Setting((30, 7), _SITE),
    ),
    # Not to the readers: a mail that names the site would say where a film comes from.
    Kind.FILM_UNREAD: About(
        _("days after the film came in"),
        _("Films that nobody has read"),
        _("Find a reader for them."),
        ("work_films", ""),
        Setting((14,), (Role.DATA_MANAGER,)),
    ),
}


@dataclass(frozen=True)
class Tuning:
    """How a site wants its recalls.

    ``weekdays`` (0 is Monday) get a daily mail; ``counts_only`` leaves study numbers out;
    ``language`` is that of all its mails, or each reader's own when empty.
    """

    weekdays: frozenset[int] = frozenset(range(7))
    counts_only: bool = False
    language: str = ""
    settings: Mapping[Kind, Setting] = field(
        default_factory=lambda: {kind: about.standard for kind, about in ABOUT.items()}
    )

    def days(self, kind: Kind) -> tuple[int, ...]:
        """The days of a kind, none when it is switched off."""
        setting = self.settings[kind]
        return setting.days if setting.on else ()

    def told_to(self, role: Role) -> frozenset[Kind]:
        """The kinds that a role is told."""
        return frozenset(
            kind for kind, setting in self.settings.items() if setting.on and role in setting.roles
        )
