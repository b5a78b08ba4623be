"""Copies of a site's own data: asked for, made, and deleted a day later.

The data are read as the site reads them: by the web role, in the scope of that site alone. They are
sealed before they reach a disk, under a key that nobody keeps until the copy is whole.
"""

from __future__ import annotations

import logging
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connections, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.access.roles import Permission
from registry.access.scope import scope
from registry.core import codebook
from registry.core.encryption import new_data_key, wrap_key
from registry.core.sealed_file import SealedWriter

from ..models import SiteCopy
from ..own.cells import SNAPSHOT
from ..own.package import Package
from .errors import ExportError, log_failure, reason_of
from .locking import advisory_lock
from .progress import beside
from .telling import say_copy_ready
from .versions import code_version

log = logging.getLogger(__name__)

LOCKS = 0x5A7F  # the first key of the copies' advisory locks
State = SiteCopy.State


@transaction.atomic
def ask_for_copy(*, by: User, site: Site) -> SiteCopy:
    """Queue a copy of the site's data. Raises :class:`ExportError`.

    Who ``by`` is has been proved anew by a password before.
    """
    from ..tasks import build_site_copy

    if not by.may(Permission.COPY_SITE, site.pk):
        raise ExportError(_("Only an investigator of the site takes a copy of its data."))
    User.objects.select_for_update().get(pk=by.pk)  # of two clicks one waits here
    own = SiteCopy.objects.filter(site=site, asked_by=by)
    if own.filter(state__in=SiteCopy.UNFINISHED).exists():
        raise ExportError(_("A copy is being made for you already."))
    copy = SiteCopy.objects.create(site=site, asked_by=by)
    # The minute's sweep sends it again should the broker not answer.
    transaction.on_commit(lambda: build_site_copy.delay(site.pk, copy.pk), robust=True)
    return copy


def build_copy(*, site_id: int, copy_id: int) -> None:
    """Make a queued copy. Whatever happens leaves it ``ready``, or ``failed`` without a file.

    Calling it again for a copy that is not queued changes nothing, save that one whose builder
    died is failed.
    """
    with advisory_lock(LOCKS, copy_id, "default") as held:
        if not held:
            return  # somebody else is at it
        with _as_registry(site_id):
            queued = SiteCopy.objects.filter(pk=copy_id, state=State.QUEUED)
            started = queued.update(state=State.BUILDING, started_at=timezone.now())
            copy = SiteCopy.objects.select_related("site", "asked_by").get(pk=copy_id)
        if not started:
            _fail_interrupted(copy)
            return
        with translation.override(copy.asked_by.language):
            try:
                _build(copy)
            except Exception as error:
                log_failure(f"Copy {copy_id}", error)
                _fail(copy, reason_of(error))
            else:
                say_copy_ready(copy)


def _build(copy: SiteCopy) -> None:
    if not copy.asked_by.may(Permission.COPY_SITE, copy.site_id):
        raise ExportError(_("Only an investigator of the site takes a copy of its data."))
    data_key = new_data_key()
    with tempfile.TemporaryFile() as file:  # without a name: it ends with the process
        out = SealedWriter(file, data_key, copy.place)
        manifest = _write(copy, out)
        out.close()
        file.seek(0)
        # Noted first, so that what a crash leaves behind can be found and deleted.
        stored_as = f"copies/{secrets.token_hex(16)}.sealed"
        _note(copy, stage="storing", stored_as=stored_as)
        stored_as = default_storage.save(stored_as, File(file))
    now = timezone.now()
    _note(
        copy,
        state=State.READY,
        stage="",
        finished_at=now,
        expires_at=now + SiteCopy.LASTS,
        manifest={name: manifest[name] for name in ("data_as_of", "tables", "files")},
        stored_as=stored_as,
        wrapped_key=wrap_key(data_key, copy.place),
        sha256=out.sha256,
        size=out.size,
        rows_done=copy.rows_expected,
    )


def _write(copy: SiteCopy, out: SealedWriter) -> dict[str, Any]:
    """Write the zip to ``out``; its manifest. Looks are logged when all of it is written."""

    def write(stage: str, done: int) -> None:
        _note(copy, stage=stage, rows_done=done, rows_expected=copy.rows_expected)

    with beside(write) as tell, _snapshot(copy) as moment:
        package = Package(copy.site, copy.asked_by, moment)
        copy.rows_expected = package.total
        about = {
            "site": copy.site.name,
            "made_for": copy.asked_by.name,
            "data_as_of": moment.astimezone(UTC).isoformat(),
            "codebook_version": codebook.version(),
            "code_version": code_version(),
        }
        return package.write(out, about, tell)


@contextmanager
def _snapshot(copy: SiteCopy) -> Iterator[datetime]:
    """Open the site as it is at one moment, to who asked; looks are logged when all is read."""
    by, site = copy.asked_by, [copy.site_id]
    with scope(by, site), transaction.atomic(using=SNAPSHOT):
        with connections[SNAPSHOT].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        with scope(by, site, identity_sites=site, using=SNAPSHOT):
            with connections[SNAPSHOT].cursor() as cursor:
                cursor.execute("SELECT transaction_timestamp()")
                moment: datetime = cursor.fetchone()[0]
            yield moment


def sweep_copies() -> None:
    """Delete copies a day old, fail those whose lock is free, send queued ones again.

    Runs each minute.
    """
    from ..tasks import build_site_copy

    with scope(_registry(), Site.objects.values_list("pk", flat=True)):
        kept = list(SiteCopy.objects.exclude(state__in=[State.FAILED, State.DELETED]))
    forgotten = timezone.now() - timedelta(minutes=2)
    for copy in kept:
        if copy.state == State.READY and not copy.available:
            try:
                _delete(copy, state=State.DELETED)
            except OSError:  # one file keeps no other from its end; the next minute tries again
                log.exception("Copy %s could not be deleted.", copy.pk)
        elif copy.state == State.QUEUED and copy.asked_at < forgotten:
            build_site_copy.delay(copy.site_id, copy.pk)
        elif copy.state == State.BUILDING:
            with advisory_lock(LOCKS, copy.pk, "default") as held:
                if held:
                    _fail_interrupted(copy)


def _fail_interrupted(copy: SiteCopy) -> None:
    """Fail a copy whose builder is gone; the caller holds its lock."""
    with _as_registry(copy.site_id):
        copy.refresh_from_db()
    if copy.state == State.BUILDING:
        _fail(copy, _("The build was interrupted."))


def _fail(copy: SiteCopy, reason: str) -> None:
    _delete(copy, state=State.FAILED, error=reason, finished_at=timezone.now(), manifest={})


def _delete(copy: SiteCopy, **about: Any) -> None:
    """Delete the file, if there is any, and the key with which alone it could be read."""
    if copy.stored_as:
        default_storage.delete(copy.stored_as)
    _note(copy, stored_as="", wrapped_key=None, **about)


def _note(copy: SiteCopy, **values: Any) -> None:
    """Write ``values`` down, and in ``copy``."""
    with _as_registry(copy.site_id):
        SiteCopy.objects.filter(pk=copy.pk).update(**values)
    for name, value in values.items():
        setattr(copy, name, value)


def _registry() -> User:
    return User.objects.system("datasets")


def _as_registry(site_id: int) -> Any:
    return scope(_registry(), [site_id])
