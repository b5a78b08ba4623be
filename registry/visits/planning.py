"""What events ask of the visit plan, registered by the rooms above that know of the events.

They also say which of their days are those of a visit, and move with it.

``visits.actions.replan`` asks them after each save and makes the plan say what they answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from registry.participants.models import Participant

from .models import Visit

# Participant → for each kind of visit (``UC``, ``HC``) the target day of the next one wanted, None
# when none is.
Planner = Callable[[Participant], Mapping[str, date | None]]
Start = Callable[[Participant], date | None]
# A visit whose day was corrected, and the day it had before.
Follower = Callable[[Visit, date], None]

_planners: list[Planner] = []
_starts: list[Start] = []
_followers: list[Follower] = []


def plans_visits(planner: Planner) -> Planner:
    """Register who says which visits events ask for. Used as a decorator by higher rooms."""
    _planners.append(planner)
    return planner


def starts_full_plan(start: Start) -> Start:
    """Register who says from which day on a control follows the full plan, if at all."""
    _starts.append(start)
    return start


def moves_with_visit(follower: Follower) -> Follower:
    """Register who keeps the day of a visit and corrects it when that of the visit is."""
    _followers.append(follower)
    return follower


def visit_moved(visit: Visit, before: date) -> None:
    for follower in _followers:
        follower(visit, before)


def wanted(participant: Participant) -> dict[str, date | None]:
    """Kind of visit → target day of the next one, from every planner."""
    return {
        stem: target_on for planner in _planners for stem, target_on in planner(participant).items()
    }


def full_plan_from(participant: Participant) -> date | None:
    """The first day on which any of those registered saw a reason; None without one."""
    return min((day for start in _starts if (day := start(participant))), default=None)
