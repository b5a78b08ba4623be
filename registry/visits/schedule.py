"""The visit plan as data, one version of the protocol after another.

Source: the protocol's visit plan. Days count from enrolment (day 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext

BASELINE = "BL"


@dataclass(frozen=True)
class Asked:
    """A form asked at a visit; with ``sections``, only those of its items."""

    form: str
    sections: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedVisit:
    """A visit of the plan: its target day, its window around it, and its forms in order."""

    code: str
    text: str
    day: int
    before: int
    after: int
    forms: tuple[Asked, ...]
    arms: tuple[str, ...] = ("cvi", "other_calcinosis")

    @property
    def label(self) -> str:
        return gettext(self.text)


@dataclass(frozen=True)
class Plan:
    """One protocol version."""

    version: str
    visits: tuple[PlannedVisit, ...]

    def visit(self, code: str) -> PlannedVisit:
        """The plan's entry for a visit code; visits off the calendar carry a number (``UC-2``)."""
        stem = code.partition("-")[0]
        return next(visit for visit in self.visits if visit.code == stem)

    def for_arm(self, arm: str) -> list[PlannedVisit]:
        """The visits planned at enrolment for an arm."""
        return [visit for visit in self.visits if arm in visit.arms]

    def forms(self, code: str, arm: str) -> tuple[Asked, ...]:
        """The forms asked at a visit of a participant of ``arm``."""
        left_out = NOT_ASKED_OF.get(arm, frozenset())
        return tuple(asked for asked in self.visit(code).forms if asked.form not in left_out)


# Controls come at BL, M24 and M60 without these.
NOT_ASKED_OF: Mapping[str, frozenset[str]] = {"control": frozenset({"ulcers", "vcss", "villalta"})}
EVERY_ARM = ("cvi", "other_calcinosis", "control")

ONGOING_LOGS = Asked("log_review", ("ongoing",))
LEGS = (
    Asked("leg_check"),
    Asked("examination"),
    Asked("ceap"),
    Asked("vcss"),
    Asked("villalta"),
    Asked("laboratory"),
    Asked("xray"),
    Asked("ulcers"),
)
FULL = (
    Asked("history"),
    Asked("leg_history"),
    *LEGS,
    Asked("log_review"),
    Asked("calcinosis"),
    Asked("reported_outcomes"),
)
SHORT = (
    Asked("leg_check"),
    Asked("ceap", ("clinical",)),
    Asked("vcss"),
    Asked("ulcers"),
    ONGOING_LOGS,
    Asked("reported_outcomes"),
)
YEARLY = (Asked("body"), *LEGS, ONGOING_LOGS, Asked("calcinosis"), Asked("reported_outcomes"))
ULCER_CHECK = (Asked("leg_check"), Asked("ulcers"), ONGOING_LOGS)
HEALING_CONFIRMATION = (Asked("leg_check"), Asked("ulcers"))

PLAN_1_0 = Plan(
    "1.0",
    (
        PlannedVisit(BASELINE, "Baseline", 0, 0, 14, FULL, EVERY_ARM),
        PlannedVisit("M03", "3 months", 91, 21, 21, SHORT),
        PlannedVisit("M06", "6 months", 182, 28, 28, SHORT),
        PlannedVisit("M12", "12 months", 365, 42, 42, YEARLY),
        PlannedVisit("M18", "18 months", 548, 42, 42, SHORT),
        PlannedVisit("M24", "24 months", 730, 56, 56, YEARLY, EVERY_ARM),
        PlannedVisit("M36", "36 months", 1095, 56, 56, YEARLY),
        PlannedVisit("M48", "48 months", 1461, 56, 56, YEARLY),
        PlannedVisit("M60", "60 months", 1826, 56, 56, YEARLY, EVERY_ARM),
        # Planned by events, or added on any day with the forms chosen: no day of their own.
        PlannedVisit("UC", "Ulcer check", 0, 7, 7, ULCER_CHECK, ()),
        PlannedVisit("HC", "Healing confirmation", 0, 0, 14, HEALING_CONFIRMATION, ()),
        PlannedVisit("UNS", "Unscheduled", 0, 0, 0, (), ()),
    ),
)

# The protocol's versions, oldest first.
PLANS: Mapping[str, Plan] = {plan.version: plan for plan in (PLAN_1_0,)}
CURRENT = PLAN_1_0


def newest(versions: Iterable[str]) -> Plan:
    """The newest of the plans named, the current one when none is."""
    named = set(versions)
    return next((plan for plan in reversed([*PLANS.values()]) if plan.version in named), CURRENT)


def current_version() -> str:
    return CURRENT.version
