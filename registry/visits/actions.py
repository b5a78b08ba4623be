"""Writes of visits and forms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, Min, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason
from registry.core.dates import show_date
from registry.core.errors import RefusedError
from registry.core.findings import Level
from registry.participants import actions as participants
from registry.participants.models import Participant, Screening
from registry.participants.vault import Person
from registry.quality.actions import recheck

from . import planning
from .crf import FORMS, Crf
from .models import FormEntry, Visit, Visits, participation_ended
from .rules import planned_visits, window_around
from .schedule import CURRENT, PLANS, Plan, newest
from .verified import finished_state


class VisitError(RefusedError):
    """A visit or form cannot be written; the message says why and what to do."""


class StaleError(VisitError):
    """Somebody saved the form since it was opened."""

    def __init__(self, entry: FormEntry) -> None:
        self.entry = entry
        super().__init__(
            _("Somebody else saved this form since you opened it. Compare, then save again.")
        )


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
    participant = participants.enrol(
        by=by, screening=screening, person=person, values=values, another_person=another_person
    )
    _plan_by_calendar(by, participant, CURRENT)
    return participant


# -- the plan ------------------------------------------------------------------------------------


def _plan_by_calendar(
    by: User, participant: Participant, plan: Plan, *, closing_from: date | None = None
) -> int:
    """Plan the visits of the calendar that the participant lacks; returns how many.

    With ``closing_from`` only those whose window closes on that day or later. One that was
    cancelled comes back.
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
    cancelled = []
    for visit in Visit.objects.filter(participant=participant, code__in=lacking):
        if visit.cancelled_on:
            cancelled.append(visit.pk)
        del lacking[visit.code]
    Visit.objects.filter(pk__in=cancelled).update(cancelled_on=None)
    added = [visit.pk for visit in Visit.objects.bulk_create(lacking.values())]
    changed = Visit.objects.filter(pk__in=added + cancelled).select_related("participant")
    for visit in changed:
        refresh_forms(by=by, visit=visit)
    return len(changed)


@transaction.atomic
def replan(*, by: User, participant: Participant) -> None:
    """Make the plan say what the records ask for; running it twice changes nothing.

    A control with venous disease follows the full plan. Visits that events ask for (ulcer
    checks, healing confirmations) are planned, moved while nobody came, or cancelled. Once
    participation has ended, or no visit of the calendar is to come, follow-up is over, and
    events ask for nothing.
    """
    # Whoever saves for this participant meanwhile waits here, and then sees what was planned.
    participant = Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
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
    plan = _plan_of(participant)
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
    for visit in _unlocked(visits):
        refresh_forms(by=by, visit=visit)


def _plan_by_event(by: User, participant: Participant, stem: str, target_on: date | None) -> None:
    """Leave one outstanding visit of the kind at its target, or none."""
    visits = Visit.objects.filter(participant=participant).of_kind(stem)
    waiting = list(visits.not_started().order_by("pk"))
    if target_on is not None:
        plan = PLANS[waiting[0].plan_version] if waiting else _plan_of(participant)
        days = window_around(plan.visit(stem), target_on)
        if not waiting:
            visit = _add_numbered(participant, stem, plan_version=plan.version, **vars(days))
            refresh_forms(by=by, visit=visit)
            return
        visit = waiting.pop(0)
        if visit.window != days:
            Visit.objects.filter(pk=visit.pk).update(**vars(days))
    unwanted = [visit.pk for visit in waiting]
    Visit.objects.filter(pk__in=unwanted).update(cancelled_on=participant.site.today)


def _add_numbered(participant: Participant, stem: str, **values: Any) -> Visit:
    """A visit under the next number of its kind; the number of one cancelled is not used again."""
    given = Visit.objects.filter(participant=participant).of_kind(stem)
    numbers = [int(code.split("-")[1]) for code in given.values_list("code", flat=True)]
    code = f"{stem}-{max(numbers, default=0) + 1}"
    return Visit.objects.create(participant=participant, code=code, **values)


def _plan_of(participant: Participant) -> Plan:
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
        Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
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
            refresh_forms(by=by, visit=visit)
            changed += 1
        changed += _plan_by_calendar(by, participant, plan, closing_from=participant.site.today)
    return changed


# -- one visit -----------------------------------------------------------------------------------


@transaction.atomic
def add_unscheduled_visit(
    *, by: User, participant: Participant, on: date, forms: Collection[str] = ()
) -> Visit:
    """A visit on any day, also between windows, attended on that day, with the forms chosen."""
    participants.require_entry(participant)
    _refuse_impossible_day(participant, on)
    Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
    visit = _add_numbered(
        participant,
        "UNS",
        plan_version=_plan_of(participant).version,
        target_on=on,
        opens_on=on,
        closes_on=on,
    )
    attend_visit(by=by, visit=visit, on=on)
    if forms:
        add_forms(by=by, visit=visit, forms=forms)
    return visit


@transaction.atomic
def add_forms(*, by: User, visit: Visit, forms: Collection[str]) -> None:
    """Ask further forms (codes) at a visit that takes place. Raises :class:`VisitError`."""
    participants.require_entry(visit.participant)
    claimed = _claim_visit(visit)
    _refuse_locked(claimed)
    if not claimed.attended_on:
        raise VisitError(_("Enter the visit's date first."))
    addable = [kind.code for kind in claimed.addable]
    if not forms or not set(forms) <= set(addable):
        raise VisitError(_("Choose forms that are not asked at this visit yet."), "forms")
    visit.added_forms = [*claimed.added_forms, *(code for code in addable if code in forms)]
    visit.save(update_fields=["added_forms"])
    refresh_forms(by=by, visit=visit)
    replan(by=by, participant=visit.participant)


@transaction.atomic
def book_visit(*, by: User, visit: Visit, at: datetime, place: str) -> None:
    """Make or move the appointment of a visit; its window and every other visit stay.

    An appointment outside the window is allowed. Raises :class:`VisitError`.
    """
    participants.require_entry(visit.participant)
    claimed = _claim_visit(visit)
    _refuse_settled(claimed)
    if timezone.localdate(at, visit.participant.site.zone) < visit.participant.site.today:
        raise VisitError(
            _("The appointment lies in the past. If the visit took place, enter its date."), "day"
        )
    if len(place) > 120:
        raise VisitError(_("Name the place in at most 120 letters."), "place")
    visit.booked_at, visit.booked_place = at, place.strip()
    visit.save(update_fields=["booked_at", "booked_place"])


@transaction.atomic
def cancel_booking(*, by: User, visit: Visit) -> None:
    """Give up the appointment; the visit stays to be done."""
    participants.require_entry(visit.participant)
    _refuse_settled(_claim_visit(visit))
    visit.booked_at, visit.booked_place = None, ""
    visit.save(update_fields=["booked_at", "booked_place"])


@transaction.atomic
def attend_visit(*, by: User, visit: Visit, on: date) -> None:
    """Record that the participant came on the day ``on``, also to a visit recorded as missed.

    The appointment stays as it was made. Raises :class:`VisitError`.
    """
    participants.require_entry(visit.participant)
    claimed = _claim_visit(visit)
    if claimed.attended_on:
        raise VisitError(
            _("The visit was attended on %(day)s already: correct that date, with a reason.")
            % {"day": show_date(claimed.attended_on)}
        )
    if claimed.cancelled_on:
        raise VisitError(_("The visit was cancelled: add an unscheduled visit instead."))
    _refuse_impossible_day(visit.participant, on)
    visit.attended_on, visit.missed_because, visit.missed_on = on, "", None
    visit.save(update_fields=["attended_on", "missed_because", "missed_on"])
    refresh_forms(by=by, visit=visit)
    replan(by=by, participant=visit.participant)


@transaction.atomic
def correct_attendance(*, by: User, visit: Visit, on: date, reason: str) -> None:
    """Correct the day on which the participant came, with a reason for the history."""
    participants.require_entry(visit.participant)
    before = _claim_visit(visit).attended_on
    if before is None:
        raise VisitError(_("The visit has not taken place yet."))
    if not reason.strip():
        raise VisitError(_("Say why the date is corrected."), "reason")
    _refuse_locked(visit)
    _refuse_impossible_day(visit.participant, on)
    visit.attended_on = on
    if visit.code.startswith("UNS-"):  # it has no other day than the one attended
        visit.target_on = visit.opens_on = visit.closes_on = on
    with with_reason(reason.strip()):
        visit.save(update_fields=["attended_on", "target_on", "opens_on", "closes_on"])
    refresh_onward(by=by, visit=visit, since=min(on, before))
    replan(by=by, participant=visit.participant)
    recheck(by=by, site_id=visit.site_id, participant_no=visit.participant_id)


@transaction.atomic
def record_as_unscheduled(*, by: User, visit: Visit) -> Visit:
    """Turn an attendance into an unscheduled visit that asks the same forms.

    The visit of the plan is open again. Refused once one of its forms was begun.
    """
    participants.require_entry(visit.participant)
    on = _claim_visit(visit).attended_on
    if on is None:
        raise VisitError(_("The visit has not taken place yet."))
    if visit.entries.exclude(state=FormEntry.State.EMPTY).exists():
        raise VisitError(_("A form of this visit was begun: it stays the visit it is."))
    asked = {one.form for one in visit.asked}
    visit.attended_on = None
    visit.save(update_fields=["attended_on"])
    refresh_forms(by=by, visit=visit)
    unscheduled = add_unscheduled_visit(by=by, participant=visit.participant, on=on)
    forms = [kind.code for kind in unscheduled.addable if kind.code in asked]
    if forms:
        add_forms(by=by, visit=unscheduled, forms=forms)
    return unscheduled


@transaction.atomic
def miss_visit(*, by: User, visit: Visit, because: str) -> None:
    """Record that a visit will not take place, and why."""
    claimed = _claim_visit(visit)
    if claimed.attended_on:
        raise VisitError(_("The visit was attended: it cannot be missed."))
    if claimed.cancelled_on:
        raise VisitError(_("The visit was cancelled: nobody expects it."))
    if not because.strip():
        raise VisitError(_("Say why the visit was missed."))
    visit.missed_because, visit.missed_on = because.strip()[:200], visit.participant.site.today
    visit.save(update_fields=["missed_because", "missed_on"])
    replan(by=by, participant=visit.participant)


@transaction.atomic
def take_back_missed(*, by: User, visit: Visit, reason: str) -> None:
    """Expect a visit again that was recorded as missed, with a reason for the history."""
    participants.require_entry(visit.participant)
    if not _claim_visit(visit).missed_because:
        raise VisitError(_("The visit is not recorded as missed."))
    if not reason.strip():
        raise VisitError(_("Say why the visit is expected again."), "reason")
    visit.missed_because, visit.missed_on = "", None
    with with_reason(reason.strip()):
        visit.save(update_fields=["missed_because", "missed_on"])
    replan(by=by, participant=visit.participant)


def _claim_visit(visit: Visit) -> Visit:
    """The visit as it is now, its row locked against others who change it."""
    return (
        Visit.objects.select_related("participant__site")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=visit.pk)
    )


def _refuse_locked(visit: Visit) -> None:
    if visit.entries.filter(locked_at__isnull=False).exists():
        raise VisitError(_("This visit is locked. Ask the data manager to unlock it."))


def _refuse_settled(visit: Visit) -> None:
    """An appointment belongs to a visit that is to come."""
    if visit.attended_on:
        raise VisitError(_("The visit has taken place: its appointment stays as it was."))
    if visit.missed_because:
        raise VisitError(_("The visit is recorded as missed: take that back first."))
    if visit.cancelled_on:
        raise VisitError(_("The visit was cancelled: nobody expects it."))


def _refuse_impossible_day(participant: Participant, on: date) -> None:
    """Nobody comes in the future, before consent or before enrolment."""
    if on > participant.site.today:
        raise VisitError(_("The visit's date lies in the future."))
    signed_on = participant.screening.consents.aggregate(first=Min("signed_on"))["first"]
    if on < signed_on:
        raise VisitError(
            _("The visit's date lies before the consent (%(day)s).") % {"day": show_date(signed_on)}
        )
    if on < participant.enrolled_on - timedelta(days=1):
        raise VisitError(_("The visit's date lies before enrolment."))


# -- its forms -----------------------------------------------------------------------------------


def refresh_forms(*, by: User, visit: Visit) -> None:
    """Write an entry for every place where a form of the plan applies, drop empty others."""
    wanted = {
        (asked.form, limb, occurrence)
        for asked in visit.asked
        for limb, occurrence in FORMS[asked.form].model.places(visit)
    }
    existing = {(entry.form, entry.limb, entry.occurrence): entry for entry in visit.entries.all()}
    FormEntry.objects.bulk_create(
        (
            FormEntry(
                participant_id=visit.participant_id,
                visit=visit,
                form=form,
                limb=limb,
                occurrence=occurrence,
            )
            for form, limb, occurrence in sorted(wanted - existing.keys())
        ),
        ignore_conflicts=True,  # another save may write the same entry at this moment
    )
    superfluous = [
        entry.pk
        for place, entry in existing.items()
        if place not in wanted and entry.state == FormEntry.State.EMPTY
    ]
    if superfluous:
        FormEntry.objects.filter(pk__in=superfluous).delete()


def refresh_onward(*, by: User, visit: Visit, since: date | None = None) -> None:
    """Refresh an attended visit and every later one (from ``since`` on) that is not locked.

    What is recorded late may begin or end a form at visits that were attended since.
    """
    visits = Visit.objects.filter(participant=visit.participant_id)
    since = since or visit.attended_on
    for one in _unlocked(visits.filter(attended_on__gte=since)):
        refresh_forms(by=by, visit=one)


def _unlocked(visits: Visits) -> Visits:
    locked = FormEntry.objects.filter(visit=OuterRef("pk"), locked_at__isnull=False)
    return visits.exclude(Exists(locked)).select_related("participant")


@transaction.atomic
def save_draft(*, by: User, entry: FormEntry, raw: Mapping[str, list[str]], revision: int) -> None:
    """Keep what was typed, unjudged. The form's record, if any, stays as it is."""
    entry = _claim(entry, revision)
    if entry.state == FormEntry.State.EMPTY:
        entry.state = FormEntry.State.DRAFT
    entry.draft, entry.draft_by, entry.draft_at = dict(raw), by, timezone.now()
    entry.revision += 1
    entry.save(update_fields=["state", "draft", "draft_by", "draft_at", "revision"])


@transaction.atomic
def discard_draft(*, by: User, entry: FormEntry, revision: int) -> None:
    """Drop what was typed and not completed. The form's record, if any, stays as it is."""
    entry = _claim(entry, revision)
    if entry.state == FormEntry.State.DRAFT:
        entry.state = FormEntry.State.EMPTY
    entry.draft = entry.draft_by = entry.draft_at = None
    entry.revision += 1
    entry.save(update_fields=["state", "draft", "draft_by", "draft_at", "revision"])


@transaction.atomic
def add_row(*, by: User, participant: Participant, form: str) -> FormEntry:
    """An empty row of a participant's log, numbered after the highest there is."""
    participants.require_entry(participant)
    Participant.objects.select_for_update(of=("self",)).get(pk=participant.pk)
    rows = log_rows(participant, form)
    number = max((int(row.occurrence) for row in rows), default=0) + 1
    return FormEntry.objects.create(participant=participant, form=form, occurrence=str(number))


@transaction.atomic
def remove_row(*, by: User, entry: FormEntry, reason: str = "") -> None:
    """Take a row out of a log; what it recorded stays in the history, with the reason.

    A row that was never completed needs no reason. Raises :class:`VisitError`.
    """
    entry = _claim(entry, entry.revision)
    record = entry.record()
    if record is not None:
        if not reason.strip():
            raise VisitError(_("Say why the row is removed."))
        with with_reason(reason.strip()):
            record.delete()
    entry.delete()
    replan(by=by, participant=entry.participant)
    recheck(by=by, site_id=entry.site_id, participant_no=entry.participant_id)


@transaction.atomic
def save_form(
    *,
    by: User,
    entry: FormEntry,
    values: Mapping[str, Any],
    absent: Mapping[str, str],
    confirmed: Mapping[str, str] | None = None,
    revision: int,
    reason: str = "",
) -> Crf:
    """Complete a form: write its record, clear its draft, run the checks.

    ``values`` (column → value) and ``absent`` (item → code) are what the whole form says now,
    already judged. Raises :class:`StaleError` when ``revision`` is not the entry's, and
    :class:`VisitError` when the form may not be written.
    """
    entry = _claim(entry, revision)
    model = FORMS[entry.form].model
    record = entry.record() or model(entry=entry)
    for name, value in values.items():
        setattr(record, name, value)
    record.absent, record.confirmed = dict(absent), dict(confirmed or {})
    record.before_saving()
    for finding in (*record.impossible_days(), *record.cross_checks()):
        if finding.level == Level.IMPOSSIBLE:
            raise VisitError(finding.message, finding.item)
    with with_reason(reason):
        record.save()
    entry.state = finished_state(entry, record)
    entry.draft = entry.draft_by = entry.draft_at = None
    entry.revision += 1
    entry.save(update_fields=["state", "draft", "draft_by", "draft_at", "revision"])
    if entry.visit:
        refresh_onward(by=by, visit=entry.visit)
    replan(by=by, participant=entry.participant)
    recheck(by=by, site_id=entry.site_id, participant_no=entry.participant_id)
    return record


def log_rows(participant: Participant, form: str) -> list[FormEntry]:
    """The rows of a participant's log, in the order of their numbers."""
    rows = FormEntry.objects.filter(participant=participant, visit=None, form=form)
    return sorted(rows.select_related("draft_by"), key=lambda row: int(row.occurrence))


def _claim(entry: FormEntry, revision: int) -> FormEntry:
    """Lock the entry's row against other savers, and check that it may be written."""
    entry = (
        FormEntry.objects.select_related("participant__site", "visit__participant__site")
        .select_for_update(of=("self",))
        .get(pk=entry.pk)
    )
    participants.require_entry(entry.participant)
    if entry.locked:
        raise VisitError(_("This form is locked. Ask the data manager to unlock it."))
    if entry.visit and not entry.visit.attended_on:
        raise VisitError(_("Enter the visit's date first."))
    if entry.revision != revision:
        raise StaleError(entry)
    return entry
