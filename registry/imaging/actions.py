"""Writes of films and readings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.files import File
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason
from registry.core.dictionary import items_of
from registry.core.files import delete_files, store
from registry.core.findings import judge
from registry.participants.actions import require_entry
from registry.participants.models import Consent
from registry.visits.models import FormEntry

from . import rules
from .cleaning import ImagingError, clean_film
from .models import Film, Reading, Xray
from .zones import ZONES

SIDES = {"R": "right", "L": "left"}


@transaction.atomic
def add_film(*, by: User, xray: Xray, upload: File) -> Film:
    """Clean an uploaded film and store it under random names.

    Raises :class:`ImagingError` when the film or the moment forbids it, and
    ``participants.actions.ParticipantError`` when consent does. Nothing is then stored.
    """
    entry = _claim(xray)
    require_entry(entry.participant)
    if not xray.performed:
        raise ImagingError(_("The form says that no X-ray was performed."), "film")
    newest = Consent.objects.filter(screening=entry.participant.screening_id).last()
    if newest is None or not newest.allows_images:
        raise ImagingError(_("The participant's consent does not allow films to be kept."), "film")
    film = clean_film(upload)
    side = SIDES.get(film.laterality)
    if side and side != entry.limb:
        raise ImagingError(
            _("The file says that it shows the %(file)s leg, and this is the %(here)s one.")
            % {"file": _(side), "here": _(entry.limb)},
            "film",
        )
    sha256 = hashlib.sha256(film.original).hexdigest()
    if Film.objects.filter(xray=xray, sha256=sha256).exists():
        raise ImagingError(_("This film is already here."), "film")
    return Film.objects.create(
        xray=xray,
        original=store(film.original, "films", "dcm" if film.format == "dicom" else "png"),
        picture=store(film.picture, "films", "png"),
        format=film.format,
        view=film.view,
        sha256=sha256,
        width=film.width,
        height=film.height,
        to_check=film.to_check,
        by=by,
    )


@transaction.atomic
def confirm_checked(*, by: User, film: Film) -> None:
    """Record that a person saw no identifying text in the picture; history says who."""
    Film.objects.filter(pk=film.pk, to_check=True).update(to_check=False)
    film.to_check = False


@transaction.atomic
def remove_film(*, by: User, film: Film, reason: str) -> None:
    """Delete a film nobody has read, with its files: the wrong one, or one with a name in it."""
    _claim(film.xray)
    if not reason.strip():
        raise ImagingError(_("Say why the film is removed."), "reason")
    if Reading.objects.filter(xray=film.xray_id).exists():
        raise ImagingError(_("The film has been read: it stays."), "reason")
    names = [film.original.name, film.picture.name]
    with with_reason(reason.strip()):
        film.delete()
    transaction.on_commit(lambda: delete_files(names))


@transaction.atomic
def submit_reading(*, by: User, xray: Xray, values: Mapping[str, Any]) -> Reading:
    """Store what one reader saw, for good.

    ``values`` are the items of :class:`Reading`; zones that the views do not show need not be
    among them. Raises :class:`ImagingError` naming the item.
    """
    # The second of two readers waits here, and then finds the leg read.
    Xray.objects.select_for_update().get(pk=xray.pk)
    if not Xray.objects.to_read().filter(pk=xray.pk).exists():
        raise ImagingError(_("This leg is no longer waiting to be read. Nothing was saved."))
    return _keep_reading(xray, reader=by, read_on=timezone.localdate(), values=values)


@transaction.atomic
def enter_published_reading(
    *, by: User, xray: Xray, reader: User, read_on: date, values: Mapping[str, Any]
) -> Reading:
    """Enter a reading that ``reader`` published, of films that are not here.

    It passes the same checks as :func:`submit_reading`. Raises :class:`ImagingError` naming the
    item, and ``participants.actions.ParticipantError`` when consent forbids entry.
    """
    require_entry(_claim(xray).participant)
    if Film.objects.filter(xray=xray).exists() or Reading.objects.filter(xray=xray).exists():
        raise ImagingError(_("This leg has films or a reading here. Nothing was saved."))
    return _keep_reading(xray, reader=reader, read_on=read_on, values=values)


def _keep_reading(xray: Xray, *, reader: User, read_on: date, values: Mapping[str, Any]) -> Reading:
    seen = xray.zones_seen
    unseen = {zone: "not_assessable" for zone in ZONES if zone not in seen}
    values = {"mode": "independent"} | unseen | dict(values)
    findings = [
        *judge(items_of(Reading), values, {}),
        *rules.cross_checks(values, seen),
    ]
    if findings:
        raise ImagingError(findings[0].message, findings[0].item)
    return Reading.objects.create(xray=xray, reader=reader, read_on=read_on, **values)


def _claim(xray: Xray) -> FormEntry:
    """Hold the form's entry against a lock or another upload, and see that it is not locked."""
    entry = (
        FormEntry.objects.select_related("participant__site", "participant__screening")
        .select_for_update(of=("self",))
        .get(pk=xray.entry_id)
    )
    if entry.locked:
        raise ImagingError(_("This form is locked. Ask the data manager to unlock it."), "film")
    return entry
