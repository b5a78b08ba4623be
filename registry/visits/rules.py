"""Pure rules of windows and of a visit's status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from django.utils.translation import ngettext

from .schedule import Plan, PlannedVisit


class Status(StrEnum):
    PLANNED = "planned"
    DUE = "due"  # window open
    OVERDUE = "overdue"  # window closed, not attended
    ATTENDED = "attended"
    COMPLETE = "complete"  # every form complete
    SIGNED = "signed"  # every form covered by a signature that stands
    LOCKED = "locked"
    MISSED = "missed"
    CANCELLED = "cancelled"  # no longer needed, or participation over before it was attended


@dataclass(frozen=True)
class Window:
    """Target and first and last day of a visit's window."""

    target_on: date
    opens_on: date
    closes_on: date


def window(planned: PlannedVisit, enrolled_on: date) -> Window:
    """The window of a planned visit, anchored on the enrolment date for ever."""
    return window_around(planned, enrolled_on + timedelta(days=planned.day))


def window_around(planned: PlannedVisit, target_on: date) -> Window:
    """The window of a visit of that kind around a target day."""
    return Window(
        target_on,
        target_on - timedelta(days=planned.before),
        target_on + timedelta(days=planned.after),
    )


def outside(days: Window, on: date) -> str:
    """How far ``on`` lies from the window, in words: “12 days late”; empty inside it."""
    late, early = (on - days.closes_on).days, (days.opens_on - on).days
    if late > 0:
        return ngettext("%(days)s day late", "%(days)s days late", late) % {"days": late}
    if early > 0:
        return ngettext("%(days)s day early", "%(days)s days early", early) % {"days": early}
    return ""


# A control in whom venous disease of C3 or more appears follows the plan of this arm (forms.md).
FULL_PLAN = "cvi"


def arm_followed(arm: str, full_plan_from: date | None, attended_on: date | None) -> str:
    """The arm whose forms a visit asks: the full plan's at visits from ``full_plan_from`` on."""
    full = full_plan_from and (attended_on is None or attended_on >= full_plan_from)
    return FULL_PLAN if full else arm


def planned_visits(
    plan: Plan, arm: str, enrolled_on: date, full_plan_from: date | None = None
) -> Iterator[tuple[PlannedVisit, Window]]:
    """The visits a participant has by the calendar, in the plan's order.

    From ``full_plan_from`` on a control has the visits of the full plan whose target lies ahead.
    """
    for planned in plan.visits:
        days = window(planned, enrolled_on)
        joined = full_plan_from and days.target_on > full_plan_from and FULL_PLAN in planned.arms
        if arm in planned.arms or joined:
            yield planned, days


@dataclass(frozen=True)
class Facts:
    """All that a visit's status depends on; ``forms`` are counts of its form entries."""

    opens_on: date
    closes_on: date
    attended_on: date | None = None
    missed_because: str = ""
    cancelled_on: date | None = None
    collection_stopped: bool = False
    ended: bool = False
    forms: int = 0
    forms_complete: int = 0
    forms_signed: int = 0
    forms_locked: int = 0


def status(visit: Facts, today: date) -> Status:
    """The visit's status on the site's ``today`` (``forms.md``, states of a visit)."""
    if visit.attended_on:
        if visit.forms and visit.forms_locked == visit.forms:
            return Status.LOCKED
        if visit.forms and visit.forms_complete == visit.forms:
            return Status.SIGNED if visit.forms_signed == visit.forms else Status.COMPLETE
        return Status.ATTENDED
    if visit.missed_because:
        return Status.MISSED
    if visit.cancelled_on or visit.collection_stopped or visit.ended:
        return Status.CANCELLED
    if today < visit.opens_on:
        return Status.PLANNED
    return Status.DUE if today <= visit.closes_on else Status.OVERDUE
