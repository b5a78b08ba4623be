"""Building a dataset: whatever happens, it ends ready with a whole file, or failed with none."""

from __future__ import annotations

import logging
import secrets
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import DatabaseError, connections, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry.core import codebook
from registry.core.errors import RefusedError
from registry.visits.schedule import CURRENT

from ..archive import Delivery, pack, sha256
from ..changes import changes, columns_of
from ..models import Dataset
from ..profiles import PROFILES
from ..tables import tables
from .comparing import earlier_release, record_people
from .errors import ExportError
from .telling import say_ready
from .versions import code_version

log = logging.getLogger(__name__)

RELEASE = "release"
LOCKS = 0x5A7E  # the first key of the builds' advisory locks
LONGEST_WAIT = timedelta(minutes=30)  # for transactions older than the cut-off
SETTLES = 0.1  # seconds after which a transaction that has begun is seen to be open
TOLD_EVERY = 1.0  # seconds between two writes of progress


def build(*, dataset_id: int) -> None:
    """Build a queued dataset, as the system actor ``datasets``; runs in the dataset worker.

    Whatever happens leaves it ``ready`` with a whole file or ``failed`` with the reason and none.
    Calling it again for a dataset that is not queued changes nothing, save that one whose builder
    died is failed.
    """
    if RELEASE not in connections:
        raise ExportError("RELEASE_DATABASE_URL is not set: datasets are built where it is.")
    with _lock(dataset_id) as held:
        if not held:
            return  # somebody else is at it
        started = Dataset.objects.filter(pk=dataset_id, state=Dataset.State.QUEUED).update(
            state=Dataset.State.BUILDING, started_at=timezone.now(), stage="cut-off"
        )
        if not started:
            fail_interrupted(dataset_id)
            return
        dataset = Dataset.objects.select_related("request__project__researcher").get(pk=dataset_id)
        try:
            with translation.override("en"):
                _build(dataset)
        except Exception as error:
            # Where, but not what: the message of an error may quote a row.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("Dataset %s failed: %s\n%s", dataset_id, type(error).__name__, where)
            _fail(dataset, _reason(error))
        else:
            say_ready(dataset)


def _build(dataset: Dataset) -> None:
    with _turn(), tempfile.TemporaryDirectory(prefix="saphena-dataset-") as scratch:
        dataset.cut_off = _cut_off(dataset.cut_off)
        _progress(dataset, "counting")
        folder, packed = Path(scratch, "files"), Path(scratch, "dataset.zip")
        folder.mkdir()
        with transaction.atomic(using=RELEASE), connections[RELEASE].cursor() as cursor:
            dataset.manifest = _write(dataset, folder, cursor)
        # Only now do new pseudonyms stand; before, a failure leaves none of them.
        _progress(dataset, "storing", dataset.rows_expected)
        pack(folder, packed)
        _store(dataset, packed)


def _write(dataset: Dataset, folder: Path, cursor: Any) -> dict[str, Any]:
    """Write the files of a dataset into a folder, in the open transaction; its manifest."""
    asked, profile = dataset.request, PROFILES[dataset.request.profile]
    wanted = {"", *asked.forms}
    chosen = [table for table in tables(profile) if table.form in wanted]
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute("SELECT set_config('registry.dataset', %s, true)", [str(dataset.pk)])
    cursor.execute("SELECT registry_prepare_dataset()")
    stopped = cursor.fetchone()[0]
    cursor.execute("SELECT registry_draw_pseudonyms()")
    earlier = earlier_release(dataset)
    people = record_people(cursor, earlier)
    cursor.execute(f'SET LOCAL ROLE "{profile.schema}"')
    delivery = Delivery(folder, cursor, profile, chosen, asked.formats)
    expected = delivery.expected_rows()
    dataset.rows_expected = sum(expected.values())
    about: dict[str, Any] = {
        "request": asked.pk,
        "profile": profile.code,
        "cut_off": dataset.cut_off.astimezone(UTC).isoformat(),  # type: ignore[union-attr]
        "protocol_version": CURRENT.version,
        "codebook_version": codebook.version(),
        "code_version": code_version(),
        "forms": asked.forms,
        "arms": asked.arms,
        "formats": asked.formats,
        "stopped_sharing_since": stopped,
        "columns": columns_of(chosen),
    }
    about["changes"] = earlier and changes(earlier, asked, about, expected, people)
    manifest = delivery.write(expected, about, _teller(dataset))
    cursor.execute("RESET ROLE")
    cursor.execute("SELECT registry_forget_dataset()")
    return manifest


@contextmanager
def _turn() -> Iterator[None]:
    """Builds take turns: what is prepared for one stands in the same tables as for another."""
    with connections[RELEASE].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, 0)", [LOCKS])
        try:
            yield
        finally:
            with suppress(DatabaseError):  # the session is gone, and the lock with it
                cursor.execute("SELECT pg_advisory_unlock(%s, 0)", [LOCKS])


# Transactions of this database that others than builds have open. A transaction is open from its
# first statement, long before it writes and gets a number that a snapshot would know.
OPEN = """
    SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction
    AND a.datname = current_database() AND a.usename IS DISTINCT FROM session_user
    AND a.usename IS NOT NULL
"""


def _cut_off(asked: datetime | None) -> datetime:
    """The moment up to which data are taken, once every transaction begun before it has ended.

    ``asked`` is one of the past, None the present. Raises :class:`ExportError`.
    """
    with connections[RELEASE].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = asked or cursor.fetchone()[0]
        time.sleep(SETTLES)
        cursor.execute(OPEN)
        older = set(cursor.fetchall())
        give_up = time.monotonic() + LONGEST_WAIT.total_seconds()
        while older:
            if time.monotonic() > give_up:
                raise ExportError(_("A transaction older than the cut-off did not end."))
            time.sleep(0.2)
            cursor.execute(OPEN)
            older &= set(cursor.fetchall())
    return moment


def _store(dataset: Dataset, path: Path) -> None:
    """Put the whole file into storage under a random name, and say so last."""
    with path.open("rb") as file:
        dataset.stored_as = f"datasets/{secrets.token_hex(16)}.zip"
        # Noted first, so that what a crash leaves behind can be found and deleted.
        dataset.save(update_fields=["stored_as"])
        dataset.stored_as = default_storage.save(dataset.stored_as, File(file))
    dataset.sha256, dataset.size = sha256(path), path.stat().st_size
    dataset.state, dataset.stage, dataset.finished_at = Dataset.State.READY, "", timezone.now()
    kept = ["state", "stage", "finished_at", "manifest", "stored_as", "sha256", "size"]
    dataset.save(update_fields=kept)


def _progress(dataset: Dataset, stage: str, rows: int | None = 0) -> None:
    dataset.stage, dataset.rows_done = stage, rows or 0
    dataset.save(update_fields=["cut_off", "stage", "rows_done", "rows_expected"])


def _teller(dataset: Dataset) -> Callable[[str, int], None]:
    """Write progress down at most once a second, and at each new stage."""
    told = 0.0

    def tell(stage: str, rows: int) -> None:
        nonlocal told
        if stage != dataset.stage or time.monotonic() - told > TOLD_EVERY:
            _progress(dataset, stage, rows)
            told = time.monotonic()

    return tell


def _reason(error: Exception) -> str:
    """What the page says. Errors of the database may quote a row, so only their kind is told."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, OSError):
        return _("The file could not be written: %(reason)s.") % {"reason": error.strerror}
    return _("The build stopped with an internal error (%(kind)s).") % {
        "kind": type(error).__name__
    }


def _fail(dataset: Dataset, reason: str) -> None:
    """Mark a build as failed and leave no file of it."""
    if dataset.stored_as:
        default_storage.delete(dataset.stored_as)
    Dataset.objects.filter(pk=dataset.pk).update(
        state=Dataset.State.FAILED,
        error=reason,
        finished_at=timezone.now(),
        stored_as="",
        sha256="",
        size=None,
        manifest={},
    )


def fail_interrupted(dataset_id: int) -> None:
    """Fail a build whose builder is gone; the caller holds its lock."""
    dataset = Dataset.objects.filter(pk=dataset_id, state=Dataset.State.BUILDING).first()
    if dataset:
        _fail(dataset, _("The build was interrupted."))


def sweep_builds() -> None:
    """Fail every build whose lock is free, and send queued ones again. Runs each minute."""
    from ..tasks import build_dataset

    for dataset in Dataset.objects.filter(state=Dataset.State.BUILDING):
        with _lock(dataset.pk, using="default") as held:
            if held:
                fail_interrupted(dataset.pk)
    forgotten = timezone.now() - timedelta(minutes=2)
    for dataset in Dataset.objects.filter(state=Dataset.State.QUEUED, queued_at__lt=forgotten):
        build_dataset.delay(dataset.pk)


@contextmanager
def _lock(dataset_id: int, using: str = RELEASE) -> Iterator[bool]:
    """Hold the dataset's advisory lock for the session; a process that dies gives it back."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCKS, dataset_id])
        held: bool = cursor.fetchone()[0]
    try:
        yield held
    finally:
        if held:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCKS, dataset_id])
            except DatabaseError:  # the session is gone, and the lock with it
                connection.close()
