"""Pure rules of events, contact attempts and the end of participation.

Source: ``forms.md``, "events, contacts and end of participation" and leg_check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from registry.core.dates import show_date
from registry.core.findings import Finding, Level

LOST = "lost_to_follow_up"
ATTEMPTS_BEFORE_LOST = 3
# What an amputation leaves of the leg, by the words of the leg check.
LEG_LOST_BY = {
    "amputation_below_knee": "amputated_below_knee",
    "amputation_above_knee": "amputated_above_knee",
}
AMPUTATIONS = ("amputation_toe", "amputation_foot", *LEG_LOST_BY)
_LOST = {"present": 0, "amputated_below_knee": 1, "amputated_above_knee": 2}


@dataclass(frozen=True)
class Happened:
    """An event: its kind, its day and, where one is meant, its leg."""

    kind: str
    on: date
    limb: str = ""


@dataclass(frozen=True)
class Seen:
    """A day on which the participant was seen, and what the pages call it."""

    on: date
    place: str


@dataclass(frozen=True)
class LegSeen:
    """What a leg check says of the leg; ``key`` is the record's."""

    key: int
    on: date
    place: str
    leg_status: str


def died_on(events: Iterable[Happened]) -> date | None:
    """The day of the first death recorded."""
    return min((event.on for event in events if event.kind == "death"), default=None)


def event_contradictions(
    event: Happened, events: Iterable[Happened], visits: Iterable[Seen], enrolled_on: date
) -> Iterator[Finding]:
    """An event against enrolment, the visits and the other ``events``."""
    day = {"day": show_date(event.on)}
    if event.on < enrolled_on:
        yield _inconsistent(
            "occurred_on",
            _("The event of %(day)s lies before enrolment (%(enrolled)s): the history holds those.")
            % (day | {"enrolled": show_date(enrolled_on)}),
            "event_before_enrolment",
        )
    if event.kind in (*AMPUTATIONS, "dvt") and not event.limb:
        yield _inconsistent("limb", _("Say which leg it was."), "event_without_leg")
    death = died_on(events)
    if event.kind != "death":
        if death and event.on > death:
            yield _inconsistent(
                "occurred_on",
                _("The event of %(day)s lies after the death recorded on %(death)s.")
                % (day | {"death": show_date(death)}),
                "event_after_death",
            )
        return
    if death != event.on:
        yield _inconsistent(
            "occurred_on",
            _("A death is recorded on %(day)s, and another on %(death)s.")
            % (day | {"death": show_date(death or event.on)}),
            "second_death",
        )
    later = max((seen for seen in visits if seen.on > event.on), key=_day, default=None)
    if later:
        yield _inconsistent(
            "occurred_on",
            _("A death is recorded on %(day)s, but the visit %(visit)s was attended on %(later)s.")
            % (day | {"visit": later.place, "later": show_date(later.on)}),
            "visit_after_death",
        )


def leg_contradictions(
    checks: Sequence[LegSeen], events: Iterable[Happened], limb: str
) -> Iterator[tuple[int, Finding]]:
    """The leg checks of one leg against each other and its amputations: (key, finding).

    A leg that is missing at the first check may have been lost before enrolment. After that,
    each loss has its event, and no leg comes back.
    """
    lost = [event for event in events if event.limb == limb and event.kind in LEG_LOST_BY]
    before: LegSeen | None = None
    for check in sorted(checks, key=lambda one: (one.on, one.key)):
        words = {"visit": check.place, "day": show_date(check.on)}
        now = _LOST[check.leg_status]
        until_then = [event for event in lost if event.on <= check.on]
        by_events = max((_LOST[LEG_LOST_BY[event.kind]] for event in until_then), default=0)
        if by_events > now:
            worst = next(e for e in until_then if _LOST[LEG_LOST_BY[e.kind]] == by_events)
            yield (
                check.key,
                _inconsistent(
                    "leg_status",
                    _(
                        "The events hold an amputation of this leg on %(event)s, but the leg check"
                        " of %(visit)s (%(day)s) says otherwise."
                    )
                    % (words | {"event": show_date(worst.on)}),
                    "amputation_not_in_leg_check",
                ),
            )
        elif before and _LOST[before.leg_status] > now:
            yield (
                check.key,
                _inconsistent(
                    "leg_status",
                    _("At %(before)s the leg check says that more of this leg was amputated.")
                    % {"before": before.place},
                    "leg_came_back",
                ),
            )
        elif before and now > max(by_events, _LOST[before.leg_status]):
            yield (
                check.key,
                _inconsistent(
                    "leg_status",
                    _("The leg was not so at %(before)s: record the amputation among the events.")
                    % {"before": before.place},
                    "amputation_without_event",
                ),
            )
        before = check


def may_be_lost(attempts: int) -> bool:
    """Whether "lost to follow-up" is offered as the reason of an end."""
    return attempts >= ATTEMPTS_BEFORE_LOST


@dataclass(frozen=True)
class Ended:
    """The end of participation as recorded."""

    ended_on: date | None
    reason: str | None
    last_known_alive_on: date | None = None


def end_refusals(end: Ended, *, attempts: int, others: int, enrolled_on: date) -> Iterator[Finding]:
    """What makes an end impossible: ``others`` there, too few ``attempts``, or its day."""
    if others:
        yield Finding(
            Level.IMPOSSIBLE,
            "ended_on",
            _("The end of participation is recorded already. Correct that one."),
            "ends_once",
        )
    if end.reason == LOST and not may_be_lost(attempts):
        yield Finding(
            Level.IMPOSSIBLE,
            "reason",
            _(
                "Lost to follow-up needs %(needed)s recorded contact attempts; there are"
                " %(attempts)s. Record them first."
            )
            % {"needed": ATTEMPTS_BEFORE_LOST, "attempts": attempts},
            "lost_without_attempts",
        )
    if end.ended_on and end.ended_on < enrolled_on:
        yield Finding(
            Level.IMPOSSIBLE,
            "ended_on",
            _("Participation cannot end before enrolment (%(day)s).")
            % {"day": show_date(enrolled_on)},
            "end_before_enrolment",
        )


def end_contradictions(
    end: Ended, events: Iterable[Happened], visits: Iterable[Seen]
) -> Iterator[Finding]:
    """The end against the death among the events and the visits attended."""
    death = died_on(events)
    if end.reason == "died" and not death:
        yield _inconsistent(
            "reason",
            _("Participation ended by death, but no death is recorded among the events."),
            "end_by_death_without_event",
        )
    if (
        end.reason
        and end.reason != "died"
        and death
        and (not end.ended_on or death <= end.ended_on)
    ):
        yield _inconsistent(
            "reason",
            _("The events record a death on %(day)s, but participation ended for another reason.")
            % {"day": show_date(death)},
            "death_not_the_reason",
        )
    last = max(visits, key=_day, default=None)
    for item, day in (("ended_on", end.ended_on), ("last_known_alive_on", end.last_known_alive_on)):
        if last and day and day < last.on:
            yield _inconsistent(
                item,
                _("%(day)s lies before the visit %(visit)s, attended on %(later)s.")
                % {"day": show_date(day), "visit": last.place, "later": show_date(last.on)},
                f"{item}_before_visit",
            )
    if death and end.last_known_alive_on and end.last_known_alive_on > death:
        yield _inconsistent(
            "last_known_alive_on",
            _("Known alive on %(alive)s, after the death recorded on %(day)s.")
            % {"alive": show_date(end.last_known_alive_on), "day": show_date(death)},
            "alive_after_death",
        )


def _inconsistent(item: str, message: str, rule: str) -> Finding:
    return Finding(Level.INCONSISTENT, item, message, rule)


def _day(seen: Seen) -> date:
    return seen.on
