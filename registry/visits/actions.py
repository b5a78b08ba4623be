"""Writes of visits and forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason
from registry.core.errors import RefusedError
from registry.core.findings import Level
from registry.participants import actions as participants
from registry.participants.models import Participant, Screening
from registry.participants.vault import Person
from registry.quality.actions import recheck

from .crf import FORMS, Crf
from .models import FormEntry, Visit
from .rules import window
from .schedule import CURRENT


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
    visits = []
    for planned in CURRENT.for_arm(participant.arm):
        days = window(planned, participant.enrolled_on)
        visits.append(
            Visit(
                participant=participant,
                code=planned.code,
                target_on=days.target_on,
                opens_on=days.opens_on,
                closes_on=days.closes_on,
            )
        )
    Visit.objects.bulk_create(visits)
    for visit in Visit.objects.filter(participant=participant).select_related("participant"):
        refresh_forms(by=by, visit=visit)
    return participant


@transaction.atomic
def add_unscheduled_visit(*, by: User, participant: Participant, on: date) -> Visit:
    """A visit on any day, also between windows, attended on that day."""
    participants.require_entry(participant)
    Participant.objects.select_for_update().get(pk=participant.pk)
    number = Visit.objects.filter(participant=participant, code__startswith="UNS-").count() + 1
    visit = Visit.objects.create(
        participant=participant,
        code=f"UNS-{number}",
        target_on=on,
        opens_on=on,
        closes_on=on,
    )
    attend_visit(by=by, visit=visit, on=on)
    return visit


@transaction.atomic
def attend_visit(*, by: User, visit: Visit, on: date) -> None:
    """Record that the participant came on the day ``on``. Raises :class:`VisitError`."""
    participants.require_entry(visit.participant)
    if on > visit.participant.site.today:
        raise VisitError(_("The visit's date lies in the future."))
    if on < visit.participant.enrolled_on - timedelta(days=1):
        raise VisitError(_("The visit's date lies before enrolment."))
    Visit.objects.filter(pk=visit.pk).update(attended_on=on, missed_because="")
    visit.attended_on, visit.missed_because = on, ""
    refresh_forms(by=by, visit=visit)


@transaction.atomic
def miss_visit(*, by: User, visit: Visit, because: str) -> None:
    """Record that a visit will not take place, and why."""
    if visit.attended_on:
        raise VisitError(_("The visit was attended: it cannot be missed."))
    if not because.strip():
        raise VisitError(_("Say why the visit was missed."))
    Visit.objects.filter(pk=visit.pk).update(missed_because=because.strip()[:200])
    visit.missed_because = because.strip()[:200]


def refresh_forms(*, by: User, visit: Visit) -> None:
    """Write an entry for every place where a form of the plan applies, drop empty others."""
    wanted = {
        (asked.form, limb, occurrence)
        for asked in visit.asked
        for limb, occurrence in FORMS[asked.form].model.places(visit)
    }
    existing = {(entry.form, entry.limb, entry.occurrence): entry for entry in visit.entries.all()}
    FormEntry.objects.bulk_create(
        FormEntry(
            participant_id=visit.participant_id,
            visit=visit,
            form=form,
            limb=limb,
            occurrence=occurrence,
        )
        for form, limb, occurrence in sorted(wanted - existing.keys())
    )
    superfluous = [
        entry.pk
        for place, entry in existing.items()
        if place not in wanted and entry.state == FormEntry.State.EMPTY
    ]
    if superfluous:
        FormEntry.objects.filter(pk__in=superfluous).delete()


def refresh_onward(*, by: User, visit: Visit) -> None:
    """Refresh an attended visit and every later one that is not locked.

    What is recorded late may begin or end a form at visits that were attended since.
    """
    locked = FormEntry.objects.filter(visit=OuterRef("pk"), locked_at__isnull=False)
    onward = Visit.objects.filter(
        participant=visit.participant_id, attended_on__gte=visit.attended_on
    )
    for one in onward.exclude(Exists(locked)).select_related("participant"):
        refresh_forms(by=by, visit=one)


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
    for finding in record.cross_checks():
        if finding.level == Level.IMPOSSIBLE:
            raise VisitError(finding.message, finding.item)
    with with_reason(reason):
        record.save()
    entry.state = FormEntry.State.COMPLETE
    entry.draft = entry.draft_by = entry.draft_at = None
    entry.revision += 1
    entry.save(update_fields=["state", "draft", "draft_by", "draft_at", "revision"])
    if entry.visit:
        refresh_onward(by=by, visit=entry.visit)
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


@transaction.atomic
def lock_visit(*, by: User, visit: Visit) -> None:
    """Lock every form of a complete visit: the database then refuses writes to its rows."""
    entries = visit.entries.select_for_update()
    if not entries or any(entry.state not in FormEntry.FINISHED for entry in entries):
        raise VisitError(_("Only a visit with every form complete can be locked."))
    visit.entries.update(locked_at=timezone.now(), locked_by=by)


@transaction.atomic
def unlock_visit(*, by: User, visit: Visit, reason: str) -> None:
    """Open a locked visit again, with a reason for the history."""
    if not reason.strip():
        raise VisitError(_("Say why the visit is unlocked."))
    with with_reason(reason.strip()):
        visit.entries.update(locked_at=None, locked_by=None)
