"""Writes of forms: drafts, completed records, rows of logs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason
from registry.core.findings import Level
from registry.participants import actions as participants
from registry.participants.models import Participant

from ..crf import FORMS, Crf, decides_places
from ..models import FormEntry
from ..verified import finished_state
from .errors import StaleError, VisitError
from .plan import settle


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
    participants.take_turns([participant.pk])
    rows = log_rows(participant, form)
    number = max((int(row.occurrence) for row in rows), default=0) + 1
    return FormEntry.objects.create(participant=participant, form=form, occurrence=str(number))


@transaction.atomic
def remove_row(*, by: User, entry: FormEntry, reason: str = "") -> None:
    """Take a row out of a log; what it recorded stays in the history, with the reason.

    A row that was never completed needs no reason. Raises :class:`VisitError`.
    """
    participants.take_turns([entry.participant_id])
    entry = _claim(entry, entry.revision)
    record = entry.record()
    if record is not None:
        if not reason.strip():
            raise VisitError(_("Say why the row is removed."))
        with with_reason(reason.strip()):
            record.delete()
    entry.delete()
    settle(by=by, participant=entry.participant, since=_reach(entry))


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
    participants.take_turns([entry.participant_id])
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
    settle(by=by, participant=entry.participant, since=_reach(entry))
    return record


def _reach(entry: FormEntry) -> date | None:
    """The first day whose visits may gain or lose a form by what ``entry`` records.

    A row of a log may begin a form at any visit (a thrombosis asks for Villalta's score).
    """
    if not decides_places(entry.form):
        return None
    return entry.visit.attended_on if entry.visit else date.min


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
        raise StaleError
    return entry
