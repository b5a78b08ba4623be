"""Pure rules of recall: which occasion a visit gives on a day, and when a site's mail goes.

Each occasion holds until the visit's next one begins, and the ledger decides whether it was told
already. So a day that nobody planned (an outage) costs nothing: the next planned day finds the
occasion that holds then, the most urgent, and tells it once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

# Protocol: a mail 7 days before the window opens, when it opens, 7 days before it closes, and,
# once it has closed, after 7 days and then three times more, every 14 days.
COMING_UP_DAYS = 7
CLOSING_DAYS = 7
OVERDUE_DAYS = (7, 21, 35, 49)


class Kind(StrEnum):
    """What a recall says of a visit, the most urgent first."""

    OVERDUE = "overdue"
    CLOSING = "closing"
    OPEN = "open"
    COMING_UP = "coming_up"


URGENCY = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True)
class Facts:
    """All that a visit's recall depends on. ``stopped``: contact or collection was
    withdrawn, or participation has ended.
    """

    opens_on: date
    closes_on: date
    attended: bool = False
    missed: bool = False
    cancelled: bool = False
    stopped: bool = False


@dataclass(frozen=True)
class Occasion:
    """One reason to write, from the day ``since``; told once per ``kind`` and ``occurrence``."""

    kind: Kind
    occurrence: str
    since: date

    @property
    def key(self) -> str:
        return f"{self.kind} {self.occurrence}"


def occasions(visit: Facts) -> list[Occasion]:
    """Every occasion of a visit that nobody attends, in time."""
    opens, closes = visit.opens_on, visit.closes_on
    closing_from = max(opens, closes - timedelta(days=CLOSING_DAYS))
    return [
        Occasion(Kind.COMING_UP, f"{opens}", opens - timedelta(days=COMING_UP_DAYS)),
        Occasion(Kind.OPEN, f"{opens}", opens),
        Occasion(Kind.CLOSING, f"{closes}", closing_from),
        *(
            Occasion(Kind.OVERDUE, f"{closes}+{days}", closes + timedelta(days=days))
            for days in OVERDUE_DAYS
        ),
    ]


def occasion(visit: Facts, today: date) -> Occasion | None:
    """The occasion that holds on the site's ``today``, if any."""
    if visit.attended or visit.missed or visit.cancelled or visit.stopped:
        return None
    begun = [one for one in occasions(visit) if one.since <= today]
    return begun[-1] if begun else None


def due(visit: Facts, today: date, told: Collection[str]) -> Occasion | None:
    """The occasion to tell today, given the keys of those ``told`` before."""
    holds = occasion(visit, today)
    return holds if holds and holds.key not in told else None


def standing(visit: Facts, today: date) -> Kind:
    """Where an outstanding visit stands on the day a mail goes: the mail's group."""
    if today < visit.opens_on:
        return Kind.COMING_UP
    if today > visit.closes_on:
        return Kind.OVERDUE
    closing = visit.closes_on - today <= timedelta(days=CLOSING_DAYS)
    return Kind.CLOSING if closing else Kind.OPEN


def sending_moment(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """When the site's clock reaches its sending ``hour`` on ``day``, in UTC.

    An hour that comes twice counts the first time. One that a clock change leaves out counts when
    the clock has jumped over it, or an hour earlier where the jump ends the day.
    """
    local = datetime.combine(day, time(hour), zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).date() != day:
        moment = local.replace(fold=1).astimezone(UTC)
    return moment
