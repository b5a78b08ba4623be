"""Pure rules of an ulcer's course: healing, recurrence, change of area, ulcer-free time.

Sources: ``forms.md`` ("leg_check … and ulcers"), ``domain.md`` B5 (endpoints) and B2 (VCSS).
Lengths are in mm, areas in mm², times in whole days. A partial date is an interval, never
filled in, so a time that starts at one is an interval too (:class:`Days`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from django.utils.translation import gettext as _

from registry.core.dates import Span, show_date

CONFIRM_AFTER = timedelta(days=14)
BASELINE = timedelta(days=14)  # the baseline visit's window
ANSWERS_HOLD_FOR = 270  # days between two leg checks over which nothing is taken as unseen
FOUR_WEEKS = (28, (21, 35))
TWELVE_WEEKS = (84, (70, 98))


class State(StrEnum):
    NOT_ASSESSED = "not_assessed"
    OPEN = "open"
    CLOSED_UNCONFIRMED = "closed_unconfirmed"
    HEALED = "healed"
    MERGED = "merged"


class Assessment(Protocol):
    """What the rules need of one look at an ulcer: ``ulcer_status`` is open, closed or merged."""

    assessed_on: Any
    ulcer_status: Any
    merged_into: Any
    length_mm: Any
    width_mm: Any
    area_mm2: Any
    area_method: Any


A = TypeVar("A", bound=Assessment)


class KnownUlcer(Protocol):
    """What the rules need of an ulcer; ``onset`` are the days on which it may have begun."""

    label: Any
    location: Any
    recorded_on: Any

    @property
    def onset(self) -> Span: ...

    @property
    def assessed(self) -> Sequence[Assessment]: ...


@dataclass(frozen=True)
class Days:
    """A time known to lie from ``least`` to ``most`` days, both included."""

    least: int
    most: int

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least}–{self.most}"


# -- course ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """What an ulcer's assessments say.

    ``seen_on`` is the last assessment's day, ``closed_on`` the first closed one of the present
    closure. ``healed_on`` is the day of the first healing, ``confirmed_on`` that of the
    assessment that confirmed it; healing lies after ``last_open_on``, the last open assessment
    before it (None when it was never seen open), and on or before ``healed_on``. While nothing
    healed, ``last_open_on`` is the last open assessment. ``recurred_on`` is the first open
    assessment after that healing.
    """

    state: State = State.NOT_ASSESSED
    seen_on: date | None = None
    last_open_on: date | None = None
    closed_on: date | None = None
    healed_on: date | None = None
    confirmed_on: date | None = None
    recurred_on: date | None = None
    merged_into: str = ""

    @property
    def confirm_from(self) -> date | None:
        """The first day on which a closed assessment confirms the present closure."""
        unconfirmed = self.state == State.CLOSED_UNCONFIRMED
        return self.closed_on + CONFIRM_AFTER if unconfirmed and self.closed_on else None

    @property
    def sentence(self) -> str:
        """The state in words, with its dates."""
        days = {
            "seen": self.seen_on,
            "closed": self.closed_on,
            "healed": self.healed_on,
            "confirmed": self.confirmed_on,
            "recurred": self.recurred_on,
            "from": self.confirm_from,
        }
        shown = {name: show_date(day) for name, day in days.items() if day}
        match self.state:
            case State.NOT_ASSESSED:
                return _("Not yet assessed")
            case State.OPEN if self.recurred_on:
                text = _("Open again on %(recurred)s after healing on %(healed)s")
            case State.OPEN:
                text = _("Open, last seen on %(seen)s")
            case State.CLOSED_UNCONFIRMED:
                text = _("Closed on %(closed)s, not yet confirmed: confirm on or after %(from)s")
            case State.HEALED if self.recurred_on:
                text = _("Healed again on %(closed)s, for the first time on %(healed)s")
            case State.HEALED:
                text = _("Healed on %(healed)s, confirmed on %(confirmed)s")
            case State.MERGED:
                text = _("Merged into %(label)s on %(seen)s")
                shown["label"] = self.merged_into
        return text % shown


def in_time(assessments: Iterable[A]) -> list[A]:
    """Assessments with a day and a state, in the order of time."""
    known = (one for one in assessments if one.assessed_on and one.ulcer_status)
    return sorted(known, key=lambda one: one.assessed_on)


def course(assessments: Iterable[Assessment]) -> Course:
    """The course of one ulcer (``forms.md``, derived items of ulcers).

    Closed is healed once an assessment 14 days or more after the first closed one is closed
    too, and nothing else was seen in between; healed then as of that first day. Open (or
    merged) before that: that closure was none.
    """
    assessments = in_time(assessments)
    if not assessments:
        return Course()
    last_open: date | None = None
    closed: date | None = None
    confirmed = False  # the present closure
    healing: dict[str, Any] = {}
    recurred: date | None = None
    for one in assessments:
        day = one.assessed_on
        if one.ulcer_status == "closed":
            closed = closed or day
            confirmed = confirmed or day - closed >= CONFIRM_AFTER
            if confirmed and not healing:
                healing = {"healed_on": closed, "confirmed_on": day, "last_open_on": last_open}
            continue
        closed, confirmed = None, False
        if one.ulcer_status == "open":
            last_open = day
            if healing and recurred is None:
                recurred = day
    last = assessments[-1]
    states = {"open": State.OPEN, "merged": State.MERGED}
    finished = State.HEALED if confirmed else State.CLOSED_UNCONFIRMED
    return Course(
        state=states.get(last.ulcer_status, finished),
        seen_on=last.assessed_on,
        closed_on=closed,
        recurred_on=recurred,
        merged_into=last.merged_into or "" if last.ulcer_status == "merged" else "",
        **(healing or {"last_open_on": last_open}),
    )


def ulcer_outcome(
    course: Course, leg_lost_on: date | None = None, died_on: date | None = None
) -> str:
    """``healed``, ``amputated``, ``died`` or ``censored``: competing, so the first of them counts.

    Healed as of ``healed_on`` once that was confirmed, also when it opened again; ``leg_lost_on``
    is the day of an amputation below or above the knee. A merged ulcer is censored: its own
    healing can no longer be seen.
    """
    first = [
        (day, rank, outcome)
        for rank, (outcome, day) in enumerate(
            [("healed", course.healed_on), ("amputated", leg_lost_on), ("died", died_on)]
        )
        if day
    ]
    return min(first)[-1] if first else "censored"


def time_to_healing_days(course: Course, onset: Span, enrolled_on: date) -> Days | None:
    """Days from enrolment, or from onset for an ulcer that began later, to ``healed_on``.

    None while it is not healed. An interval when ``onset`` is one and lies after enrolment.
    """
    if course.healed_on is None:
        return None
    return Days(
        max(0, (course.healed_on - max(onset.last, enrolled_on)).days),
        max(0, (course.healed_on - max(onset.first, enrolled_on)).days),
    )


def ulcer_age_days(onset: Span, enrolled_on: date) -> Days | None:
    """How long an ulcer had been open at enrolment; None for one that began later."""
    if onset.first > enrolled_on:
        return None
    return Days(max(0, (enrolled_on - onset.last).days), (enrolled_on - onset.first).days)


# -- recurrence ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recurrence:
    """An ulcer after a confirmed healing on the same leg: ``of`` is the label of the one healed.

    ``days`` run from the healing, not from its confirmation (``domain.md`` B5).
    """

    of: str
    same_location: bool
    days: Days


def recurrence(ulcer: KnownUlcer, leg: Iterable[KnownUlcer]) -> Recurrence | None:
    """Which healing on the leg the ulcer follows; None when it surely follows none.

    ``leg`` are the leg's ulcers (``ulcer`` itself may be among them). The ulcer follows a
    healing when every day on which it may have begun lies after the confirming assessment; of
    several the latest. An ulcer that opened again itself recurs at its own place.
    """
    own = course(ulcer.assessed)
    if own.healed_on and own.recurred_on:
        days = (own.recurred_on - own.healed_on).days
        return Recurrence(ulcer.label, True, Days(days, days))
    healed = [
        (earlier.healed_on, other)
        for other in leg
        if other.label != ulcer.label
        and (earlier := course(other.assessed)).healed_on
        and earlier.confirmed_on
        and earlier.confirmed_on < ulcer.onset.first
    ]
    if not healed:
        return None
    healed_on, other = max(healed, key=lambda pair: (pair[0], pair[1].label))
    return Recurrence(
        other.label,
        bool(set(other.location) & set(ulcer.location)),
        Days((ulcer.onset.first - healed_on).days, (ulcer.onset.last - healed_on).days),
    )


def first_or_recurrent(ulcer: KnownUlcer, leg: Iterable[KnownUlcer]) -> str | None:
    """``first`` or ``recurrent`` on its leg; None when a partial onset leaves it open."""
    leg = list(leg)
    if recurrence(ulcer, leg):
        return "recurrent"
    perhaps = any(
        (confirmed := course(other.assessed).confirmed_on) and confirmed < ulcer.onset.last
        for other in leg
        if other.label != ulcer.label
    )
    return None if perhaps else "first"


# -- size ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """Reduction of the area, in percent of the earlier one; negative when it grew."""

    percent: Decimal
    since: date
    days: int

    @property
    def sentence(self) -> str:
        shown = {
            "percent": f"{abs(self.percent):.0f}",
            "day": show_date(self.since),
            "days": self.days,
        }
        if shown["percent"] == "0":
            return _("As large as on %(day)s (%(days)s days)") % shown
        if self.percent > 0:
            return _("%(percent)s %% smaller than on %(day)s (%(days)s days)") % shown
        return _("%(percent)s %% bigger than on %(day)s (%(days)s days)") % shown


def area(one: Assessment) -> Decimal | None:
    """The area in mm²: none (0) when closed, None when it was not measured."""
    if one.ulcer_status == "closed":
        return Decimal(0)
    return one.area_mm2 if one.ulcer_status == "open" else None


def method(one: Assessment) -> str:
    """How an open ulcer's area was measured; the ellipse is computed where nothing is said."""
    return one.area_method or "ruler_ellipse"


def measured(assessments: Iterable[A]) -> list[A]:
    """The open assessments with an area, in the order of time."""
    return [one for one in in_time(assessments) if one.ulcer_status == "open" and area(one)]


def change(earlier: Assessment, later: Assessment) -> Change | None:
    """The change between two assessments; None when one lacks an area or the methods differ.

    A closed ulcer has no area, whatever the method.
    """
    before, after = area(earlier), area(later)
    if not before or after is None:
        return None
    if after and method(earlier) != method(later):
        return None
    return Change(
        (before - after) / before * 100,
        earlier.assessed_on,
        (later.assessed_on - earlier.assessed_on).days,
    )


def area_change_percent(
    assessments: Iterable[Assessment], around: int, within: tuple[int, int]
) -> Change | None:
    """(A0 − At) / A0 × 100, A0 the first measured assessment (day 0).

    At is the one nearest day ``around`` among those on the days ``within`` (both included), the
    earlier of two equally near. None without one, or when the ulcer was measured by more than
    one method.
    """
    assessments = in_time(assessments)
    sizes = measured(assessments)
    if not sizes or len({method(one) for one in sizes}) > 1:
        return None
    first = sizes[0]

    def day(one: Assessment) -> int:
        return int((one.assessed_on - first.assessed_on).days)

    candidates = [
        one for one in assessments if within[0] <= day(one) <= within[1] and area(one) is not None
    ]
    nearest = min(candidates, key=lambda one: (abs(day(one) - around), day(one)), default=None)
    return change(first, nearest) if nearest else None


def index_ulcer(leg: Iterable[KnownUlcer], enrolled_on: date) -> KnownUlcer | None:
    """The leg's largest ulcer at enrolment, by its first area within the baseline window.

    Of two equally large, the first recorded. None when none was measured.
    """
    sizes = [
        (area(first), ulcer)
        for ulcer in leg
        if ulcer.onset.first <= enrolled_on
        and (first := next(iter(measured(ulcer.assessed)), None))
        and first.assessed_on <= enrolled_on + BASELINE
    ]
    sizes.sort(key=lambda pair: (pair[1].recorded_on, pair[1].label))
    return max(sizes, key=lambda pair: pair[0] or 0, default=(None, None))[1]


# -- the leg ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class UlcerFree:
    """Days known without an open ulcer, and days of which anything is known."""

    ulcer_free_days: int
    observed_days: int


def ulcer_free_days(
    answers: Iterable[tuple[date, bool]], enrolled_on: date, end: date | None = None
) -> UlcerFree:
    """Ulcer-free days of a leg in the 365 days after enrolment, or until its ``end`` if earlier.

    ``answers`` are (day, any open ulcer) of the leg checks. A day counts as observed between
    two successive answers at most 270 days apart, as ulcer-free when both are "no". Unobserved
    time never counts; ``end`` is the loss of the leg or a death (``domain.md`` B5).
    """
    by_day: dict[date, bool] = {}
    for day, any_open in answers:
        by_day[day] = by_day.get(day, False) or any_open
    until = min(filter(None, [enrolled_on + timedelta(days=365), end]))
    free = observed = 0
    for (start, open_then), (end, open_later) in pairwise(sorted(by_day.items())):
        if (end - start).days > ANSWERS_HOLD_FOR:
            continue
        days = max(0, (min(end, until) - max(start, enrolled_on)).days)
        observed += days
        free += 0 if open_then or open_later else days
    return UlcerFree(free, observed)


def is_open(ulcer: KnownUlcer, on: date) -> bool:
    """Whether the ulcer was known open on the day ``on``; recorded but not yet assessed counts."""
    until_then = [one for one in in_time(ulcer.assessed) if one.assessed_on <= on]
    return ulcer.recorded_on <= on and course(until_then).state in (
        State.OPEN,
        State.NOT_ASSESSED,
    )


def vcss_scores(leg: Iterable[KnownUlcer], on: date) -> dict[str, int | None]:
    """The three ulcer scores of VCSS that the leg's records propose for the day ``on``.

    ``active_ulcers``: number open, three or more is 3. ``ulcer_duration``: the longest open,
    under 91 days 1, to 365 days 2, more 3. ``ulcer_size``: the longest diameter, under 20 mm 1,
    to 60 mm 2, more 3. A score is None where the records do not settle it. An ulcer recorded
    but not yet assessed counts as open.
    """
    onsets: list[Span] = []
    longest: list[int | None] = []
    for ulcer in leg:
        if not is_open(ulcer, on):
            continue
        until_then = [one for one in in_time(ulcer.assessed) if one.assessed_on <= on]
        onsets.append(ulcer.onset)
        sides = [until_then[-1].length_mm, until_then[-1].width_mm] if until_then else []
        longest.append(None if None in sides or not sides else int(max(sides)))
    if not onsets:
        return {"active_ulcers": 0, "ulcer_duration": 0, "ulcer_size": 0}
    least = max((on - onset.last).days for onset in onsets)
    most = max((on - onset.first).days for onset in onsets)
    durations = {_score(days, 91, 365) for days in (least, most)}
    known = [side for side in longest if side is not None]
    size = _score(max(known), 20, 60) if known else None
    return {
        "active_ulcers": min(3, len(onsets)),
        "ulcer_duration": durations.pop() if len(durations) == 1 else None,
        "ulcer_size": size if size == 3 or None not in longest else None,
    }


def _score(value: int, low: int, high: int) -> int:
    return 1 if value < low else 2 if value <= high else 3
