"""Writes of attachments: files are looked into before they are kept.

Pictures are drawn anew from their pixels, so no EXIF, text, profile or trailing byte survives.
A PDF is kept as it is, and is therefore seen only by those who enter data.
"""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from registry.access.models import User
from registry.access.scope import with_reason
from registry.core.errors import RefusedError
from registry.core.files import MAX_PIXELS, delete_files, store
from registry.participants.actions import require_entry
from registry.participants.models import Consent

from .attachment import Attachment
from .crf import DOCUMENTS, FileItem
from .models import FormEntry

SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "application/pdf": "pdf"}


class AttachmentError(RefusedError):
    """A file cannot be kept or removed; the message says why."""


@transaction.atomic
def add_attachment(*, by: User, entry: FormEntry, item: FileItem, upload: File) -> Attachment:
    """Keep an uploaded file as an answer to ``item``.

    Raises :class:`AttachmentError` when the file or the moment forbids it, and
    ``participants.actions.ParticipantError`` when consent does. Nothing is then stored.
    """
    entry = _claim(entry)
    require_entry(entry.participant)
    if entry.visit and not entry.visit.attended_on:
        raise _refused(_("Enter the visit's date first."))
    newest = Consent.objects.filter(screening=entry.participant.screening_id).last()
    if not item.identifying and not (newest and newest.allows_images):
        raise _refused(_("The participant's consent does not allow pictures to be kept."))
    there = Attachment.objects.filter(entry=entry, item=item.name)
    if not item.several and there.exists():
        raise _refused(_("There is a file already. Remove it first."))
    media_type, content = _clean(upload, item)
    sha256 = hashlib.sha256(content).hexdigest()
    if there.filter(sha256=sha256).exists():
        raise _refused(_("This file is already here."))
    return Attachment.objects.create(
        entry=entry,
        item=item.name,
        original_name=(upload.name or "")[-200:],
        media_type=media_type,
        sha256=sha256,
        stored=store(content, "attachments", SUFFIXES[media_type]),
        by=by,
    )


@transaction.atomic
def remove_attachment(*, by: User, attachment: Attachment, reason: str) -> None:
    """Delete a file, with a reason for the history. Raises :class:`AttachmentError`."""
    require_entry(_claim(attachment.entry).participant)
    if not reason.strip():
        raise AttachmentError(_("Say why the file is removed."), "reason")
    name = attachment.stored.name
    with with_reason(reason.strip()):
        attachment.delete()
    transaction.on_commit(lambda: delete_files([name]))


def _claim(entry: FormEntry) -> FormEntry:
    """Hold the entry against a lock or another upload, and see that it is not locked."""
    entry = (
        FormEntry.objects.select_related("participant__site", "participant__screening", "visit")
        .select_for_update(of=("self",))
        .get(pk=entry.pk)
    )
    if entry.locked:
        raise _refused(_("This form is locked. Ask the data manager to unlock it."))
    return entry


def _refused(message: str) -> AttachmentError:
    return AttachmentError(message, "file")


# -- what is in the file ---------------------------------------------------------------------


def _clean(upload: File, item: FileItem) -> tuple[str, bytes]:
    """Media type and content to keep, by what the file holds and not by what it is called."""
    if upload.size > settings.FILM_MAX_BYTES:
        megabytes = f"{settings.FILM_MAX_BYTES / 2**20:.0f}"
        raise _refused(_("The file is too large: at most %s MB are taken.") % megabytes)
    upload.seek(0)
    if item.media_types & DOCUMENTS and upload.read(5) == b"%PDF-":
        upload.seek(0)
        content = upload.read()
        if b"%%EOF" not in content[-2048:]:
            raise _refused(_("The PDF file is not whole. Upload it again."))
        return "application/pdf", content
    upload.seek(0)
    try:
        return _clean_picture(upload)
    except AttachmentError:
        raise
    except Exception:
        # Broken files make decoders raise anything, and what they say may quote the file.
        if item.media_types & DOCUMENTS:
            message = _("The file cannot be read. Upload a PDF, PNG or JPEG file.")
        else:
            message = _("The file cannot be read. Upload a PNG or JPEG file.")
        raise _refused(message) from None


def _clean_picture(upload: File) -> tuple[str, bytes]:
    image: Image.Image = Image.open(upload, formats=("PNG", "JPEG"))
    if image.width * image.height > MAX_PIXELS:
        raise _refused(
            _("The picture is too large: %(width)s × %(height)s pixels.")
            % {"width": image.width, "height": image.height}
        )
    kind = image.format or ""
    pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=92)
    return f"image/{kind.lower()}", buffer.getvalue()
