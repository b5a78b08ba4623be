"""What people vouch for: items verified against their source, visits signed, visits locked.

Whatever is vouched for falls away visibly when it changes: a trigger sees to it at once
(``walls.py``), and :func:`recheck_attested` finds nightly what slipped past every trigger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason
from registry.audit.models import Signature, Voiding
from registry.audit.rules import fingerprint
from registry.core import codebook
from registry.core.dictionary import items_of
from registry.participants.actions import take_turns
from registry.quality.models import Verification

from .actions import VisitError
from .attachment import Attachment
from .crf import FORMS, Crf
from .models import FormEntry, Visit
from .verified import answered, finished_state, item_fingerprint, stored

# -- verifying -----------------------------------------------------------------------------------


@transaction.atomic
def verify(*, by: User, entry: FormEntry, items: Collection[str] = ()) -> None:
    """Record that ``by`` compared ``items`` of a complete form with their source.

    Without ``items``, every answer of the form. Raises :class:`VisitError` when the form is not
    complete or an item has no answer.
    """
    entry = (
        FormEntry.objects.select_related("visit__participant")
        .select_for_update(of=("self",))
        .get(pk=entry.pk)
    )
    record = entry.record()
    if record is None or not entry.is_finished:
        raise VisitError(_("Only a complete form without a draft can be verified."))
    answers = answered(record, entry.asked_items)
    if not set(items) <= set(answers):
        raise VisitError(_("There is no answer to verify."))
    for name in items or answers:
        Verification.objects.update_or_create(
            label=record._meta.label_lower,
            key=record.pk,
            item=name,
            defaults={
                "site_id": entry.site_id,
                "participant_no": entry.participant_id,
                "fingerprint": item_fingerprint(record, name),
                "by": by,
                "at": timezone.now(),
                "fallen_at": None,
                "fallen_by": None,
            },
        )
    entry.state = finished_state(entry, record)
    entry.save(update_fields=["state"])


# -- signing -------------------------------------------------------------------------------------


@transaction.atomic
def sign_visit(*, by: User, visit: Visit, meaning: str) -> Signature:
    """Sign every form of a complete visit, as it stands now.

    Who ``by`` is has been proved anew by a password before. Raises :class:`VisitError`.
    """
    if meaning not in Signature.Meaning.values:
        raise VisitError(_("Say what your signature means."), "meaning")
    take_turns([visit.participant_id])
    # Savers hold the entry, and writers of a record take a share lock on it: none slips between.
    entries = list(visit.entries.select_for_update().order_by("pk"))
    if any(entry.locked for entry in entries):
        raise VisitError(_("The visit is locked."))
    if not entries or not all(entry.is_finished for entry in entries):
        raise VisitError(_("Only a visit with every form complete can be signed."))
    contents = contents_of(entries)
    covers = {
        str(entry.pk): {
            "form": entry.form,
            "limb": entry.limb,
            "occurrence": entry.occurrence,
            "items": [
                *(
                    name
                    for name, item in items_of(FORMS[entry.form].model).items()
                    if not item.derived
                ),
                *(one.name for one in entry.file_items),
            ],
        }
        for entry in entries
    }
    signature = Signature.objects.create(
        site_id=visit.site_id,
        label=visit._meta.label_lower,
        key=visit.pk,
        by=by,
        name=by.name,
        meaning=meaning,
        covers=covers,
        codebook_version=codebook.version(),
        fingerprint=signed_fingerprint(covers, contents),
    )
    visit.entries.update(signature=signature)
    return signature


class Contents(NamedTuple):
    """What forms hold: entry's key → its record, and → item → the hashes of its files."""

    records: dict[int, Crf]
    files: dict[int, dict[str, list[str]]]


def signed_fingerprint(covers: Mapping[str, Any], contents: Contents) -> str:
    """The fingerprint of what ``covers`` names (:class:`Signature`), as ``contents`` have it now.

    A record or file that is gone changes it.
    """
    return fingerprint(
        {
            entry: [
                place["form"],
                place["limb"],
                place["occurrence"],
                _signed_values(contents, int(entry), place["items"]),
            ]
            for entry, place in covers.items()
        }
    )


def _signed_values(contents: Contents, entry: int, items: list[str]) -> dict[str, Any] | None:
    record = contents.records.get(entry)
    if record is None:
        return None
    files = {one.name for one in record.file_items}.intersection(items)
    held = contents.files.get(entry, {})
    return stored(record, (name for name in items if name not in files)) | {
        name: sorted(held.get(name, [])) for name in files
    }


def contents_of(entries: Iterable[FormEntry]) -> Contents:
    """What the forms hold; one query a form, and one for all files."""
    by_form: dict[str, list[int]] = {}
    for entry in entries:
        by_form.setdefault(entry.form, []).append(entry.pk)
    records = {
        record.entry_id: record
        for form, keys in by_form.items()
        for record in FORMS[form].model.objects.filter(entry__in=keys)
    }
    files: dict[int, dict[str, list[str]]] = {}
    for one in Attachment.objects.filter(entry__in=records):
        files.setdefault(one.entry_id, {}).setdefault(one.item, []).append(one.sha256)
    return Contents(records, files)


# -- locking -------------------------------------------------------------------------------------


@transaction.atomic
def lock_visit(*, by: User, visit: Visit) -> None:
    """Lock every form of a signed visit: the database then refuses writes to its rows."""
    take_turns([visit.participant_id])
    entries = list(visit.entries.select_for_update().order_by("pk"))
    if any(entry.locked for entry in entries):
        raise VisitError(_("The visit is locked."))
    if not entries or any(entry.signature_id is None for entry in entries):
        raise VisitError(_("Only a visit whose every form is signed can be locked."))
    if not all(entry.is_finished for entry in entries):
        raise VisitError(_("Complete or discard the drafts before you lock the visit."))
    visit.entries.update(locked_at=timezone.now(), locked_by=by)


@transaction.atomic
def unlock_visit(*, by: User, visit: Visit, reason: str) -> None:
    """Open a locked visit again, with a reason for the history."""
    if not reason.strip():
        raise VisitError(_("Say why the visit is unlocked."), "reason")
    if not visit.entries.filter(locked_at__isnull=False).exists():
        raise VisitError(_("The visit is not locked."))
    with with_reason(reason.strip()):
        visit.entries.update(locked_at=None, locked_by=None)


# -- what slipped past every trigger ---------------------------------------------------------------


@transaction.atomic
def recheck_attested(*, by: User, participants: Sequence[int]) -> None:
    """Compare what was verified and signed with what is stored now; what differs falls away."""
    verified = Verification.objects.filter(participant_no__in=participants, fallen_at__isnull=True)
    by_label: dict[str, list[Verification]] = {}
    for one in verified:
        by_label.setdefault(one.label, []).append(one)
    for label, rows in by_label.items():
        _fall(by, label, rows)
    signed = FormEntry.objects.filter(signature__isnull=False, participant__in=participants)
    signatures = list(
        Signature.objects.filter(pk__in=signed.values("signature"), label=Visit._meta.label_lower)
    )
    keys = {int(entry) for signature in signatures for entry in signature.covers}
    contents = contents_of(FormEntry.objects.filter(pk__in=keys))
    for signature in signatures:
        if signed_fingerprint(signature.covers, contents) != signature.fingerprint:
            Voiding.objects.bulk_create(
                [Voiding(signature=signature, by=by)], ignore_conflicts=True
            )


def _fall(by: User, label: str, rows: list[Verification]) -> None:
    model = next(kind.model for kind in FORMS.values() if kind.model._meta.label_lower == label)
    records = model.objects.in_bulk([row.key for row in rows])
    fallen = [
        row
        for row in rows
        if row.key not in records or item_fingerprint(records[row.key], row.item) != row.fingerprint
    ]
    if fallen:
        Verification.objects.filter(pk__in=[row.pk for row in fallen]).update(
            fallen_at=timezone.now(), fallen_by=by
        )
        entries = {records[row.key].entry_id for row in fallen if row.key in records}
        FormEntry.objects.filter(pk__in=entries, state=FormEntry.State.VERIFIED).update(
            state=FormEntry.State.COMPLETE
        )
