"""Planning visits: at enrolment, by what happens, and by a later protocol version."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from registry.access.models import User
from registry.participants.actions import enrol, take_turns
from registry.participants.models import Participant, Screening
from registry.participants.vault import Person
from registry.quality.actions import recheck

from .. import planning
from ..crf import FORMS
from ..models import FormEntry, Visit, Visits, participation_ended
from ..rules import planned_visits, window_around
from ..schedule import CURRENT, PLANS, Plan, newest


@transaction.atomic
def enrol_and_plan(
    *,
    by: User,
    screening: Screening,
    person: Person,
    values: Mapping[str, Any],
    another_person: bool = False,
) -> Participant:
    """Enrol the person screened and plan the visits of the current protocol version."""
    participant = enrol(
        by=by, screening=screening, person=person, values=values, another_person=another_person
    )
    _plan_by_calendar(by, participant, CURRENT)
    return participant


def _plan_by_calendar(
    by: User, participant: Participant, plan: Plan, *, closing_from: date | None = None
) -> int:
    """Plan the visits of the calendar that the participant lacks; returns how many.

    With ``closing_from`` only those whose window closes on that day or later. One that was
    cancelled comes back as ``plan`` has it now.
    """
    lacking = {
        planned.code: Visit(
            participant=participant,
            code=planned.code,
            plan_version=plan.version,
            **vars(days),
        )
        for planned, days in planned_visits(
            plan, participant.arm, participant.enrolled_on, participant.full_plan_from
        )
        if closing_from is None or days.closes_on >= closing_from
    }
    back = []
    for visit in Visit.objects.filter(participant=participant, code__in=lacking):
        planned_now = lacking.pop(visit.code)
        if visit.cancelled_on:
            planned_now.pk = visit.pk
            back.append(planned_now)
    Visit.objects.bulk_update(
        back, ["plan_version", "target_on", "opens_on", "closes_on", "cancelled_on"]
    )
    added = Visit.objects.bulk_create(lacking.values())
    keys = [visit.pk for visit in (*added, *back)]
    changed = Visit.objects.filter(pk__in=keys).select_related("participant")
    refresh_forms(changed)
    return len(changed)


def settle(*, by: User, participant: Participant, since: date | None) -> None:
    """Bring up to date what follows from a write about a participant: every write ends here.

    ``since``: the first day whose visits may gain or lose a form by it, None for none. Forms come
    first, since the plan counts those that are not finished; the checks see both.
    """
    if since is not None:
        refresh_onward(participant.pk, since)
    replan(by=by, participant=participant)
    recheck(by=by, site_id=participant.site_id, participant_no=participant.pk)


@transaction.atomic
def replan(*, by: User, participant: Participant) -> None:
    """Make the plan say what the records ask for; running it twice changes nothing.

    A control with venous disease follows the full plan. Visits that events ask for (ulcer
    checks, healing confirmations) are planned, moved while nobody came, or cancelled. Once
    participation has ended, or no visit of the calendar is to come, follow-up is over, and
    events ask for nothing.
    """
    (participant,) = take_turns([participant.pk])
    if participant.arm == "control":
        _follow_full_plan(by, participant)
    followed = Visit.objects.filter(participant=participant).by_calendar().outstanding().exists()
    for stem, target_on in planning.wanted(participant).items():
        _plan_by_event(by, participant, stem, target_on if followed else None)


def _follow_full_plan(by: User, participant: Participant) -> None:
    since = planning.full_plan_from(participant)
    if since == participant.full_plan_from:
        return
    Participant.objects.filter(pk=participant.pk).update(full_plan_from=since)
    participant.full_plan_from = since
    plan = plan_of(participant)
    kept = [
        planned.code
        for planned, _days in planned_visits(
            plan, participant.arm, participant.enrolled_on, participant.full_plan_from
        )
    ]
    calendar = [planned.code for planned in plan.visits]
    visits = Visit.objects.filter(participant=participant)
    visits.not_started().filter(code__in=calendar).exclude(code__in=kept).update(
        cancelled_on=participant.site.today
    )
    _plan_by_calendar(by, participant, plan)
    for visit in unlocked(visits):
        refresh_forms([visit])


def _plan_by_event(by: User, participant: Participant, stem: str, target_on: date | None) -> None:
    """Leave one outstanding visit of the kind at its target, or none."""
    visits = Visit.objects.filter(participant=participant).of_kind(stem)
    waiting = list(visits.not_started().order_by("pk"))
    if target_on is not None:
        plan = PLANS[waiting[0].plan_version] if waiting else plan_of(participant)
        days = window_around(plan.visit(stem), target_on)
        if not waiting:
            visit = add_numbered(participant, stem, plan_version=plan.version, **vars(days))
            refresh_forms([visit])
            return
        visit = waiting.pop(0)
        if visit.window != days:
            Visit.objects.filter(pk=visit.pk).update(**vars(days))
    unwanted = [visit.pk for visit in waiting]
    Visit.objects.filter(pk__in=unwanted).update(cancelled_on=participant.site.today)


def add_numbered(participant: Participant, stem: str, **values: Any) -> Visit:
    """A visit under the next number of its kind; the number of one cancelled is not used again."""
    given = Visit.objects.filter(participant=participant).of_kind(stem)
    numbers = [int(code.split("-")[1]) for code in given.values_list("code", flat=True)]
    code = f"{stem}-{max(numbers, default=0) + 1}"
    return Visit.objects.create(participant=participant, code=code, **values)


def plan_of(participant: Participant) -> Plan:
    """The protocol version that the participant follows: the newest one of their visits."""
    visits = Visit.objects.filter(participant=participant)
    return newest(visits.order_by().values_list("plan_version", flat=True).distinct())


@transaction.atomic
def adopt_plan(*, by: User, participants: Collection[int], plan: Plan) -> int:
    """Move participants (ids) to a later protocol version; returns how many visits changed.

    Visits not yet started take its forms and windows, and its new visits are planned unless
    their window is over. What was started stays as it was, and visits keep their identity, so
    that nothing is recalled again. Running it twice changes nothing. Participants from whom
    nothing more is collected are left out.
    """
    earlier = list(PLANS)[: list(PLANS).index(plan.version)]
    changed = 0
    found = Participant.objects.filter(pk__in=participants).with_consent()
    found = found.filter(collection_stopped=False).exclude(participation_ended("pk"))
    for participant in found.select_related("site").order_by("pk"):
        take_turns([participant.pk])
        calendar = {
            planned.code: days
            for planned, days in planned_visits(
                plan, participant.arm, participant.enrolled_on, participant.full_plan_from
            )
        }
        visits = Visit.objects.filter(participant=participant).select_related("participant")
        for visit in visits.not_started().filter(plan_version__in=earlier):
            days = calendar.get(visit.code)
            days = days or window_around(plan.visit(visit.code), visit.target_on)
            visit.plan_version = plan.version
            visit.target_on, visit.opens_on, visit.closes_on = vars(days).values()
            visit.save(update_fields=["plan_version", *vars(days)])
            refresh_forms([visit])
            changed += 1
        changed += _plan_by_calendar(by, participant, plan, closing_from=participant.site.today)
    return changed


# -- which forms a visit asks ----------------------------------------------------------------------


def refresh_forms(visits: Iterable[Visit]) -> None:
    """Write an entry for every place where a form of the plan applies, drop empty others."""
    by_key = {visit.pk: visit for visit in visits}
    wanted = {
        (visit.pk, asked.form, limb, occurrence)
        for visit in by_key.values()
        for asked in visit.asked
        for limb, occurrence in FORMS[asked.form].model.places(visit)
    }
    existing = {
        (entry.visit_id, entry.form, entry.limb, entry.occurrence): entry
        for entry in FormEntry.objects.filter(visit__in=by_key)
    }
    FormEntry.objects.bulk_create(
        (
            FormEntry(
                participant_id=by_key[key].participant_id,
                visit=by_key[key],
                form=form,
                limb=limb,
                occurrence=occurrence,
            )
            for key, form, limb, occurrence in sorted(wanted - existing.keys())
        ),
        ignore_conflicts=True,  # another save may write the same entry at this moment
    )
    superfluous = [entry.pk for place, entry in existing.items() if place not in wanted]
    if superfluous:
        FormEntry.objects.filter(pk__in=superfluous).exclude(FormEntry.begun()).delete()


def refresh_onward(participant_id: int, since: date) -> None:
    """Refresh the visits attended from ``since`` on that are not locked.

    What is recorded late may begin or end a form at visits that were attended since.
    """
    visits = Visit.objects.filter(participant=participant_id, attended_on__gte=since)
    refresh_forms(unlocked(visits))


def unlocked(visits: Visits) -> Visits:
    locked = FormEntry.objects.filter(visit=OuterRef("pk"), locked_at__isnull=False)
    return visits.exclude(Exists(locked)).select_related("participant")
