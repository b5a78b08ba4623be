"""Ulcers through the same actions that the pages use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from registry.access.models import User
from registry.access.scope import user_scope
from registry.ulcers.actions import add_ulcer
from registry.ulcers.models import Ulcer, UlcerAssessment
from registry.visits.models import Visit

from .. import build

STATES: dict[str, dict[str, Any]] = {
    "open": {"ulcer_status": "open", "length_mm": 30, "width_mm": 20, "extruded_calcium": False},
    "closed": {
        "ulcer_status": "closed",
        "closure_by": "secondary_intention",
        "extruded_calcium": False,
    },
    "merged": {"ulcer_status": "merged", "extruded_calcium": False},
}


def ulcer(by: User, visit: Visit, limb: str = "right", **values: Any) -> Ulcer:
    assert visit.attended_on
    values = {
        "location": ["medial_malleolus"],
        "onset_on": (visit.attended_on - timedelta(days=30)).isoformat(),
        "ulcer_cause": "venous",
    } | values
    with user_scope(by):
        return add_ulcer(
            by=by, participant=visit.participant, limb=limb, visit=visit, values=values
        )


def assessed(by: User, visit: Visit, ulcer: Ulcer, state: str = "open", **values: Any) -> Any:
    """The ulcer's column of the visit's form, completed."""
    values = {"assessed_on": visit.attended_on} | STATES[state] | values
    record = build.form(by, visit, "ulcers", ulcer.limb, ulcer.label, **values)
    assert isinstance(record, UlcerAssessment)
    return record
