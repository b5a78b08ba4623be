"""Handing out what was built."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.roles import Permission
from registry.audit.actions import log_look
from registry.core.encryption import SealedError, unwrap_key
from registry.core.sealed_file import read_sealed

from ..models import Dataset, Download, SiteCopy
from .errors import ExportError


def download(*, by: User, dataset: Dataset) -> IO[bytes]:
    """Open a ready dataset's file for its researcher, checked against its SHA-256, and log it.

    Raises :class:`ExportError` when it is not his, not ready, or not the file that was built.
    """
    if by.pk != dataset.request.project.researcher_id or not by.may(Permission.REQUEST_DATASET):
        raise ExportError(_("Only the project's researcher downloads its datasets."))
    return _open(by, dataset)


def unpack(*, dataset: Dataset, folder: Path) -> None:
    """Put a ready dataset's files into a new folder: all of them, or none. Logged too.

    For who runs the registry: it asks for no permission. Raises :class:`ExportError`.
    """
    require_empty(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".saphena-", dir=folder.parent) as scratch,
        _open(User.objects.system("datasets"), dataset) as file,
        zipfile.ZipFile(file) as archive,
    ):
        files = Path(scratch, "files")
        archive.extractall(files)
        if folder.exists():
            folder.rmdir()
        files.rename(folder)


def require_empty(folder: Path) -> None:
    """Raises :class:`ExportError` when ``folder`` is something else than an empty or new folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(_("%(folder)s is not empty.") % {"folder": folder}, "out")


def _open(by: User, dataset: Dataset) -> IO[bytes]:
    if dataset.state != Dataset.State.READY:
        raise ExportError(_("The dataset is not ready."))
    altered = ExportError(
        _("The stored file is not the one that was built. Have the dataset built again.")
    )
    try:
        file: Any = default_storage.open(dataset.stored_as)
    except OSError:
        raise altered from None
    if hashlib.file_digest(file, "sha256").hexdigest() != dataset.sha256:
        file.close()
        raise altered
    file.seek(0)
    Download.objects.create(dataset=dataset, user=by)
    return file


def open_copy(*, by: User, copy: SiteCopy) -> Iterator[bytes]:
    """The zip of a copy for who asked for it, opened as it is read, and the look logged.

    All of it is checked before the first byte. Raises :class:`ExportError` when it is not theirs,
    not ready, over a day old, or not the file that was made.
    """
    if by.pk != copy.asked_by_id or not by.may(Permission.COPY_SITE, copy.site_id):
        raise ExportError(_("Only who asked for the copy downloads it."))
    if not copy.available:
        raise ExportError(_("There is no file any more, or not yet. Ask for a copy again."))
    digest = hashlib.sha256()
    try:
        for chunk in _chunks(copy):
            digest.update(chunk)
    except (SealedError, OSError):
        pass  # not all of it: the fingerprint differs
    if digest.hexdigest() != copy.sha256:
        raise ExportError(_("The stored file is not the one that was made. Ask for a copy again."))
    log_look(by=by, record=copy, what="download")
    return _chunks(copy)


def _chunks(copy: SiteCopy) -> Iterator[bytes]:
    key = unwrap_key(copy.wrapped_key, copy.place)
    with default_storage.open(copy.stored_as) as file:
        yield from read_sealed(file, key, copy.place)
