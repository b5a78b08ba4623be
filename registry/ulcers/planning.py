"""When an ulcer's next visit is wanted: the ulcer check (UC) and the healing confirmation (HC).

Source: the protocol's visit plan. While an ulcer is open it is seen 28 days after the last
assessment during the 24 weeks from its first record here, then 91; 14 days after it was first
seen closed its healing is confirmed. The rules answer a target day; the plan knows the windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Q

from registry.participants.models import Participant
from registry.visits import planning
from registry.visits.losses import legs_lost
from registry.visits.models import FormEntry, Visit

from .rules import CONFIRM_AFTER, Assessment, Course, State, course
from .ulcer import Ulcer

CLOSELY_EVERY = timedelta(days=28)
CLOSELY_FOR = timedelta(weeks=24)
THEN_EVERY = timedelta(days=91)


@dataclass(frozen=True)
class Facts:
    """All that the visits wanted for one ulcer depend on.

    ``awaited`` are the days of visits attended whose form of this ulcer is not finished: until
    it is, the visit counts as having found the ulcer as it was.
    """

    recorded_on: date
    assessments: Sequence[Assessment] = ()
    awaited: Sequence[date] = ()
    leg_lost: bool = False

    @property
    def course(self) -> Course:
        return course(self.assessments)


def next_check(ulcer: Facts, given_up: Iterable[date] = ()) -> date | None:
    """The target day of an open ulcer's next check.

    ``given_up`` are the days on which a check was given up as missed: the next one counts from
    there.
    """
    found = ulcer.course
    if ulcer.leg_lost or found.state not in (State.OPEN, State.NOT_ASSESSED):
        return None
    anchor = max([found.seen_on or ulcer.recorded_on, *ulcer.awaited, *given_up])
    closely = anchor < ulcer.recorded_on + CLOSELY_FOR
    return anchor + (CLOSELY_EVERY if closely else THEN_EVERY)


def next_confirmation(ulcer: Facts, given_up: Iterable[date] = ()) -> date | None:
    """The target day on which a closed ulcer's healing is to be confirmed."""
    confirm_from = ulcer.course.confirm_from
    if ulcer.leg_lost or confirm_from is None:
        return None
    if any(day >= confirm_from for day in ulcer.awaited):
        return None
    return max([confirm_from, *(day + CONFIRM_AFTER for day in given_up)])


def wanted(
    ulcers: Sequence[Facts],
    missed_checks: Iterable[date] = (),
    missed_confirmations: Iterable[date] = (),
) -> dict[str, date | None]:
    """The target of the next visit of each kind: the earliest need, since ulcers share a visit."""
    checks = [next_check(one, missed_checks) for one in ulcers]
    confirmations = [next_confirmation(one, missed_confirmations) for one in ulcers]
    return {
        "UC": min(filter(None, checks), default=None),
        "HC": min(filter(None, confirmations), default=None),
    }


@planning.plans_visits
def visits_wanted(participant: Participant) -> dict[str, date | None]:
    """What the participant's ulcers ask of the plan."""
    ulcers = _facts(participant)
    if not ulcers:
        return wanted(())
    return wanted(ulcers, _given_up(participant, "UC"), _given_up(participant, "HC"))


@planning.moves_with_visit
def first_seen_moves(visit: Visit, before: date) -> None:
    """An ulcer first recorded at a visit is recorded on its day, also when that is corrected.

    Not later than another visit saw it: one of the same day, or one that wrote something of it.
    """
    others = FormEntry.objects.filter(
        Q(visit__attended_on=before) | FormEntry.begun(),
        participant=visit.participant_id,
        form="ulcers",
        visit__attended_on__isnull=False,
    ).exclude(visit=visit)
    for ulcer in Ulcer.objects.filter(participant=visit.participant_id, recorded_on=before):
        seen = others.filter(occurrence=ulcer.label).values_list("visit__attended_on", flat=True)
        ulcer.recorded_on = min([visit.attended_on, *seen])
        ulcer.save(update_fields=["recorded_on"])


def _facts(participant: Participant) -> list[Facts]:
    ulcers = list(Ulcer.objects.filter(participant=participant).prefetch_related("assessments"))
    if not ulcers:
        return []
    awaited: dict[str, list[Any]] = {}
    waiting = FormEntry.objects.filter(
        participant=participant, form="ulcers", visit__attended_on__isnull=False
    ).exclude(state__in=FormEntry.FINISHED)
    for label, day in waiting.values_list("occurrence", "visit__attended_on"):
        awaited.setdefault(label, []).append(day)
    lost = legs_lost(participant.pk)
    return [
        Facts(
            ulcer.recorded_on,
            ulcer.assessed,
            awaited.get(ulcer.label, ()),
            ulcer.limb in lost,
        )
        for ulcer in ulcers
    ]


def _given_up(participant: Participant, stem: str) -> list[date]:
    """The days on which missed visits were given up: when recorded, not before the target."""
    missed = Visit.objects.filter(participant=participant).of_kind(stem).exclude(missed_because="")
    days = missed.values_list("target_on", "missed_on")
    return [max(target_on, missed_on or target_on) for target_on, missed_on in days]
