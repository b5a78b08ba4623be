"""What events ask of the visit plan, registered by the rooms above that know of the events.

``visits.actions.replan`` asks them after each save and makes the plan say what they answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from registry.participants.models import Participant

# Participant → for each kind of visit (``UC``, ``HC``) the target day of the next one wanted, None
# when none is.
Planner = Callable[[Participant], Mapping[str, date | None]]
Start = Callable[[Participant], date | None]

_planners: list[Planner] = []
_starts: list[Start] = []


def plans_visits(planner: Planner) -> Planner:
    """Register who says which visits events ask for. Used as a decorator by higher rooms."""
    _planners.append(planner)
    return planner


def starts_full_plan(start: Start) -> Start:
    """Register who says from which day on a control follows the full plan, if at all."""
    _starts.append(start)
    return start


def wanted(participant: Participant) -> dict[str, date | None]:
    """Kind of visit → target day of the next one, from every planner."""
    return {
        stem: target_on for planner in _planners for stem, target_on in planner(participant).items()
    }


def full_plan_from(participant: Participant) -> date | None:
    """The first day on which any of those registered saw a reason; None without one."""
    return min((day for start in _starts if (day := start(participant))), default=None)
