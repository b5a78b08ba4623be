"""Pure rules of windows and of a visit's status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from .schedule import PlannedVisit


class Status(StrEnum):
    PLANNED = "planned"
    DUE = "due"  # window open
    OVERDUE = "overdue"  # window closed, not attended
    ATTENDED = "attended"
    COMPLETE = "complete"  # every form complete
    SIGNED = "signed"  # every form covered by a signature that stands
    LOCKED = "locked"
    MISSED = "missed"
    CANCELLED = "cancelled"  # collection stopped before it was attended


@dataclass(frozen=True)
class Window:
    """Target and first and last day of a visit's window."""

    target_on: date
    opens_on: date
    closes_on: date


def window(planned: PlannedVisit, enrolled_on: date) -> Window:
    """The window of a planned visit, anchored on the enrolment date for ever."""
    target = enrolled_on + timedelta(days=planned.day)
    return Window(
        target, target - timedelta(days=planned.before), target + timedelta(days=planned.after)
    )


@dataclass(frozen=True)
class Facts:
    """All that a visit's status depends on; ``forms`` are counts of its form entries."""

    opens_on: date
    closes_on: date
    attended_on: date | None = None
    missed_because: str = ""
    collection_stopped: bool = False
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
    if visit.collection_stopped:
        return Status.CANCELLED
    if today < visit.opens_on:
        return Status.PLANNED
    return Status.DUE if today <= visit.closes_on else Status.OVERDUE
