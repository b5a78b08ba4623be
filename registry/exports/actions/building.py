"""Building a dataset: whatever happens, it ends ready with a whole file, or failed with none."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connections, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.core import codebook
from registry.visits.schedule import CURRENT

from ..archive import Delivery, pack, sha256
from ..changes import changes, columns_of
from ..disclosure.report import for_researcher
from ..making import passes
from ..models import Dataset, DatasetRequest
from ..profiles import PROFILES
from ..tables import tables_for
from .asking import order, require_part
from .comparing import earlier_release, record_people
from .disclosing import disclose
from .errors import ExportError, log_failure, reason_of
from .locking import advisory_lock
from .progress import Tell, seldom
from .versions import code_version

RELEASE = "release"
LOCKS = 0x5A7E  # the first key of the builds' advisory locks
# Whole tables are joined and sorted, a million rows in memory. The planner knows nothing of rows as
# of a cut-off and would sort them for merges; a hash is right whatever their number. PostgreSQL's
# parallel workers cannot have the builder's low priority, and pages would wait for them.
PLANNER = """
SET LOCAL work_mem = '512MB'; SET LOCAL jit = off; SET LOCAL enable_mergejoin = off;
SET LOCAL max_parallel_workers_per_gather = 0;
"""
LONGEST_WAIT = timedelta(minutes=30)  # for transactions older than the cut-off
LOOKED_EVERY = 0.2  # seconds between two looks at what a build waits for
SETTLES = 0.1  # seconds after which a transaction that has begun is seen to be open
STORING = "storing"  # the last stage, at which a build cannot be cancelled any more
WATCHED_EVERY = 1.0  # seconds between two looks at another's build


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
            state=Dataset.State.BUILDING, started_at=timezone.now()
        )
        if not started:
            fail_interrupted(dataset_id)
            return
        dataset = Dataset.objects.select_related("request__project__researcher").get(pk=dataset_id)
        try:
            with translation.override("en"):
                _build(dataset)
        except Exception as error:
            log_failure(f"Dataset {dataset_id}", error)
            _fail(dataset, reason_of(error))


def build_now(*, request: DatasetRequest, cut_off: datetime | None = None) -> Dataset:
    """Build an approved request in this process, or wait for the one that another is building.

    With a ``cut_off`` it is built as of that moment of the past. Raises :class:`ExportError`.
    """
    unfinished = Dataset.objects.filter(request=request, state__in=Dataset.UNFINISHED)
    dataset = None if cut_off else unfinished.order_by("pk").first()
    if dataset is None:
        by = User.objects.system("datasets")
        dataset = order(by=by, request=request, cut_off=cut_off)
    build(dataset_id=dataset.pk)
    while Dataset.objects.get(pk=dataset.pk).unfinished:
        time.sleep(WATCHED_EVERY)
        sweep_builds()
    return Dataset.objects.get(pk=dataset.pk)


def _build(dataset: Dataset) -> None:
    tell = seldom(partial(_progress, dataset))
    with _turn(tell), tempfile.TemporaryDirectory(prefix="saphena-dataset-") as scratch:
        dataset.cut_off = _cut_off(dataset.cut_off, tell)
        tell("counting", 0)
        folder, packed = Path(scratch, "files"), Path(scratch, "dataset.zip")
        folder.mkdir()
        with transaction.atomic(using=RELEASE), connections[RELEASE].cursor() as cursor:
            dataset.manifest = _write(dataset, folder, cursor, tell)
            # The last moment to cancel: new pseudonyms stand from the end of the transaction on,
            # while of a build that fails or is cancelled before none is left.
            _progress(dataset, STORING, dataset.rows_expected)
        pack(folder, packed)
        _store(dataset, packed)


def _write(dataset: Dataset, folder: Path, cursor: Any, tell: Tell) -> dict[str, Any]:
    """Write the files of a dataset into a folder, in the open transaction; its manifest."""
    asked, profile = dataset.request, PROFILES[dataset.request.profile]
    chosen = tables_for(profile, asked.forms)
    stopped = _prepare(dataset, cursor)
    dataset.disclosure = disclose(cursor, dataset)
    earlier = earlier_release(dataset)
    people = record_people(cursor, earlier)
    cursor.execute(f'SET LOCAL ROLE "{profile.schema}"')
    assert dataset.cut_off
    delivery = Delivery(
        folder, folder.parent, cursor, profile, chosen, asked.formats, dataset.cut_off
    )
    expected = delivery.expected_rows()
    dataset.rows_expected = passes(asked.formats) * sum(expected.values())
    about: dict[str, Any] = {
        "request": asked.pk,
        "profile": profile.code,
        "cut_off": dataset.cut_off.astimezone(UTC).isoformat(),
        "protocol_version": CURRENT.version,
        "codebook_version": codebook.version(),
        "code_version": code_version(),
        "forms": asked.forms,
        "arms": asked.arms,
        "sites_chosen": len(asked.sites),  # how many, not which; 0 stands for all
        "enrolled_from": asked.enrolled_from and asked.enrolled_from.isoformat(),
        "enrolled_to": asked.enrolled_to and asked.enrolled_to.isoformat(),
        "classes": asked.classes,
        "formats": asked.formats,
        "stopped_sharing_since": stopped,
        "columns": columns_of(chosen),
        "disclosure": for_researcher(dataset.disclosure, profile),
    }
    about["changes"] = earlier and changes(earlier, asked, about, expected, people)
    manifest = delivery.write(expected, about, tell)
    cursor.execute("RESET ROLE")
    cursor.execute("SELECT registry_forget_dataset()")
    return manifest


def _prepare(dataset: Dataset, cursor: Any) -> int:
    """Have the records as of the cut-off and the pseudonyms ready; how many stopped since."""
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute(PLANNER)
    cursor.execute("SELECT set_config('registry.dataset', %s, true)", [str(dataset.pk)])
    cursor.execute("SELECT registry_prepare_dataset()")
    stopped: int = cursor.fetchone()[0]
    return stopped


@contextmanager
def _turn(tell: Tell) -> Iterator[None]:
    """Builds take turns: what is prepared for one stands in the same tables as for another."""
    while True:
        with advisory_lock(LOCKS, 0, RELEASE) as held:
            if held:
                yield
                return
        tell("turn", 0)
        time.sleep(LOOKED_EVERY)


# Transactions of this database that others than builds have open. A transaction is open from its
# first statement, long before it writes and gets a number that a snapshot would know.
OPEN = """
    SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction
    AND a.datname = current_database() AND a.usename IS DISTINCT FROM session_user
    AND a.usename IS NOT NULL
"""


def _cut_off(asked: datetime | None, tell: Tell) -> datetime:
    """The moment up to which data are taken, once every transaction begun before it has ended.

    ``asked`` is one of the past, None the present. Raises :class:`ExportError`.
    """
    tell("cut-off", 0)
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
            time.sleep(LOOKED_EVERY)
            tell("cut-off", 0)
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
    kept = "state stage finished_at manifest disclosure stored_as sha256 size".split()
    dataset.save(update_fields=kept)


def _progress(dataset: Dataset, stage: str, rows: int | None) -> None:
    """Note where the build stands. Raises :class:`ExportError` when somebody cancelled it."""
    dataset.stage, dataset.rows_done = stage, rows or 0
    noted = Dataset.objects.filter(pk=dataset.pk, cancelled_by=None).update(
        cut_off=dataset.cut_off,
        stage=dataset.stage,
        rows_done=dataset.rows_done,
        rows_expected=dataset.rows_expected,
    )
    if not noted:
        dataset.refresh_from_db(fields=["cancelled_by"])
        raise ExportError(_cancelled(dataset))


def _cancelled(dataset: Dataset) -> str:
    assert dataset.cancelled_by
    return _("%(name)s cancelled the build.") % {"name": dataset.cancelled_by.name}


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


@transaction.atomic
def cancel_dataset(*, by: User, dataset: Dataset) -> None:
    """Give up a build that is queued or has not begun to store its file.

    A queued one has failed at once, one being built when its builder notices, and no file and no
    new pseudonym is left. Raises :class:`ExportError`.
    """
    require_part(by, dataset.request.project)
    now = Dataset.objects.select_for_update().get(pk=dataset.pk)
    if not now.unfinished or now.stage == STORING:
        raise ExportError(_("It is too late to cancel: the file is being stored, or is ready."))
    if now.cancelled_by_id is None:
        now.cancelled_by = by
        now.save(update_fields=["cancelled_by"])
    if now.state == Dataset.State.QUEUED:
        _fail(now, _cancelled(now))


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


def _lock(dataset_id: int, using: str = RELEASE) -> AbstractContextManager[bool]:
    """The dataset's advisory lock, held by its builder."""
    return advisory_lock(LOCKS, dataset_id, using)
