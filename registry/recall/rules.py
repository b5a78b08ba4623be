"""Pure rules of recall: which occasions a record gives on a day, and when a site's mail goes.

An occasion holds until the next one of its course begins, and the ledger decides whether it was
told already. So a day that nobody planned (an outage) costs nothing: the next planned day finds
the occasion that holds then and tells it once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from registry.visits.follow_up import ATTEMPTS_BEFORE_LOST

from .kinds import ESCALATIONS, Kind, Tuning

# Visits that events plan: the code's stem and what its opening asks for.
CHECKS = {"UC": Kind.CHECK_ULCERS, "HC": Kind.CONFIRM_HEALING}


@dataclass(frozen=True)
class Occasion:
    """One reason to write, from the day ``since``; told once per ``kind`` and ``occurrence``."""

    kind: Kind
    occurrence: str
    since: date

    @property
    def key(self) -> str:
        return f"{self.kind} {self.occurrence}"


# Occasions of which each takes the place of the one before.
Course = Sequence[Occasion]


@dataclass(frozen=True)
class Expected:
    """A visit that is still expected: its window, and the stem of its code."""

    opens_on: date
    closes_on: date
    stem: str = ""


@dataclass(frozen=True)
class Missing:
    """A participant of whom nothing is heard: the last window closed, and the attempts since."""

    closed_on: date
    attempts: int
    last_attempt_on: date | None = None


@dataclass(frozen=True)
class Waiting:
    """Anything that waits since a day: a question, a film, a consent to renew."""

    kind: Kind
    since: date


def of_visit(visit: Expected, tuning: Tuning) -> Iterator[Course]:
    """The courses of a visit that nobody attends: the site's, and each escalation."""
    opens, closes = visit.opens_on, visit.closes_on
    opening = CHECKS.get(visit.stem, Kind.OPEN)
    # Checks are planned a few weeks ahead: their window is news enough.
    ahead = () if visit.stem in CHECKS else tuning.days(Kind.COMING_UP)
    yield sorted(
        [
            *(_before(opens, days, Kind.COMING_UP) for days in ahead),
            *(_after(opens, days, opening) for days in tuning.days(opening)),
            *(_closing(visit, days) for days in tuning.days(Kind.CLOSING)),
            *(_after(closes, days, Kind.OVERDUE) for days in tuning.days(Kind.OVERDUE)),
        ],
        key=lambda one: one.since,
    )
    for kind in ESCALATIONS:
        yield sorted(
            (_after(closes, days, kind) for days in tuning.days(kind)), key=lambda one: one.since
        )


def of_missing(missing: Missing, tuning: Tuning) -> Iterator[Course]:
    """An attempt to record, until there are as many as make somebody lost to follow-up."""
    if missing.attempts >= ATTEMPTS_BEFORE_LOST:
        return
    if not (days := tuning.days(Kind.CONTACT)):
        return
    since = missing.closed_on + timedelta(days=days[0])
    if missing.last_attempt_on:
        since = max(since, missing.last_attempt_on + timedelta(days=days[-1]))
    yield [Occasion(Kind.CONTACT, f"{missing.closed_on}/{missing.attempts}", since)]


def of_waiting(waiting: Waiting, tuning: Tuning) -> Iterator[Course]:
    """Told after each of the kind's days."""
    yield sorted(
        (_after(waiting.since, days, waiting.kind) for days in tuning.days(waiting.kind)),
        key=lambda one: one.since,
    )


def _before(day: date, days: int, kind: Kind) -> Occasion:
    return Occasion(kind, f"{day}-{days}", day - timedelta(days=days))


def _after(day: date, days: int, kind: Kind) -> Occasion:
    return Occasion(kind, f"{day}+{days}", day + timedelta(days=days))


def _closing(visit: Expected, days: int) -> Occasion:
    """Never before the window opens, however short it is."""
    since = max(visit.opens_on, visit.closes_on - timedelta(days=days))
    return Occasion(Kind.CLOSING, f"{visit.closes_on}-{days}", since)


def holding(course: Course, today: date, snoozed_until: date | None = None) -> Occasion | None:
    """The occasion of a course that holds on the site's ``today``, if any.

    While somebody snoozes none does; on the day the snooze ends, the one that holds is new again.
    """
    begun = [one for one in course if one.since <= today]
    if not begun:
        return None
    held = begun[-1]
    if snoozed_until is None or snoozed_until <= held.since:
        return held
    if today < snoozed_until:
        return None
    return Occasion(held.kind, f"{held.occurrence} again {snoozed_until}", snoozed_until)


def due(
    courses: Iterator[Course], today: date, told: Collection[str], snoozed_until: date | None = None
) -> list[Occasion]:
    """The occasions to tell today, given the keys of those ``told`` before."""
    held = (holding(course, today, snoozed_until) for course in courses)
    return [one for one in held if one and one.key not in told]


def standing(kind: Kind, visit: Expected, today: date) -> Kind:
    """The group in which a visit told as ``kind`` stands when its mail goes: late mails tell it."""
    late = kind not in ESCALATIONS and today > visit.closes_on
    return Kind.OVERDUE if late else kind


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
