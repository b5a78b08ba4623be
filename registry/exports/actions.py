"""Writes of projects, requests, datasets and downloads."""

from __future__ import annotations

import hashlib
import logging
import secrets
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.mail import EmailMultiAlternatives
from django.db import DatabaseError, connections, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.roles import Permission
from registry.core import codebook
from registry.core.errors import RefusedError
from registry.visits.schedule import CURRENT

from . import rules
from .archive import expected_rows, write_archive
from .models import Dataset, DatasetProject, DatasetRequest, Download
from .profiles import PROFILES
from .release_views import tables

log = logging.getLogger(__name__)

RELEASE = "release"
LOCKS = 0x5A7E  # the first key of the builds' advisory locks
LONGEST_WAIT = timedelta(minutes=30)  # for transactions older than the cut-off
TOLD_EVERY = 1.0  # seconds between two writes of progress


class ExportError(RefusedError):
    """A dataset cannot be asked for, approved, built or downloaded; the message says why."""


# -- asking and deciding ----------------------------------------------------------------------


@transaction.atomic
def request_dataset(
    *,
    by: User,
    profile: str,
    forms: Sequence[str],
    arms: Sequence[str],
    title: str = "",
    purpose: str = "",
    project: DatasetProject | None = None,
) -> DatasetRequest:
    """Ask for a dataset of a new project (``title``, ``purpose``) or of one's own ``project``.

    ``profile``, ``forms`` and ``arms`` are codes. Raises :class:`ExportError`.
    """
    if not by.may(Permission.REQUEST_DATASET):
        raise ExportError(_("Only a researcher asks for datasets."))
    if profile not in PROFILES:
        raise ExportError(_("Choose how the data are de-identified."), "profile")
    if not arms or not set(arms) <= set(rules.arms()):
        raise ExportError(_("Choose at least one arm."), "arms")
    if not set(forms) <= set(rules.forms()):
        raise ExportError(_("There is no such form."), "forms")
    if project and project.researcher_id != by.pk:
        raise ExportError(_("The project is another researcher's."))
    if not project and not title.strip():
        raise ExportError(_("Give the project a title."), "title")
    if not project and not purpose.strip():
        raise ExportError(_("Say what the data are for: the steward decides by it."), "purpose")
    if rules.preview(sharing_counts(), arms).empty:
        raise ExportError(
            _("Nobody in these arms shares data: there is nothing to ask for."), "arms"
        )
    project = project or DatasetProject.objects.create(
        title=title.strip(), purpose=purpose.strip(), researcher=by
    )
    return DatasetRequest.objects.create(
        project=project,
        profile=profile,
        forms=sorted(set(forms)),
        arms=sorted(set(arms)),
        asked_by=by,
    )


def approve_request(*, by: User, request: DatasetRequest) -> Dataset:
    """Approve a waiting request and have its dataset built. Raises :class:`ExportError`."""
    with transaction.atomic():
        _decide(by, request, DatasetRequest.State.APPROVED)
        return order_build(by=by, request=request)


def return_request(*, by: User, request: DatasetRequest, reason: str) -> None:
    """Return a waiting request with a reason. Raises :class:`ExportError`."""
    if not reason.strip():
        raise ExportError(_("Say why the request is returned."), "reason")
    with transaction.atomic():
        _decide(by, request, DatasetRequest.State.RETURNED, reason.strip())


def _decide(by: User, request: DatasetRequest, state: str, reason: str = "") -> None:
    if not by.may(Permission.APPROVE_DATASET):
        raise ExportError(_("Only a data steward decides on requests."))
    if by.pk in (request.asked_by_id, request.project.researcher_id):
        raise ExportError(_("Nobody decides on a request of his own: another steward has to."))
    decided = DatasetRequest.objects.filter(pk=request.pk, state=DatasetRequest.State.ASKED).update(
        state=state, decided_by=by, decided_at=timezone.now(), reason=reason
    )
    if not decided:
        raise ExportError(_("The request was decided on meanwhile."))
    request.refresh_from_db()


@transaction.atomic
def order_build(*, by: User, request: DatasetRequest) -> Dataset:
    """Queue a build of an approved request: its first, another after a failure, or a later release.

    Raises :class:`ExportError`.
    """
    from .tasks import build_dataset

    DatasetProject.objects.select_for_update().get(pk=request.project_id)
    if request.state != DatasetRequest.State.APPROVED:
        raise ExportError(_("The request is not approved."))
    if by.pk != request.project.researcher_id and not by.may(Permission.APPROVE_DATASET):
        raise ExportError(_("The project is another researcher's."))
    # One at a time in a project: two would draw its pseudonyms at once.
    if Dataset.objects.filter(
        request__project=request.project_id, state__in=Dataset.UNFINISHED
    ).exists():
        raise ExportError(_("A dataset of this project is being built: wait until it is ready."))
    dataset = Dataset.objects.create(request=request, queued_by=by)
    # The minute's sweep sends it again should the broker not answer.
    transaction.on_commit(lambda: build_dataset.delay(dataset.pk), robust=True)
    return dataset


def sharing_counts() -> list[rules.Count]:
    """Participants by arm and by what becomes of them; ``people`` is None where there are few."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT arm, outcome, people FROM registry_sharing_counts()")
        return [rules.Count(*row) for row in cursor.fetchall()]


# -- building ---------------------------------------------------------------------------------


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
            log.exception("Dataset %s failed", dataset_id)
            _fail(dataset, _reason(error))
        else:
            _say_ready(dataset)


def _build(dataset: Dataset) -> None:
    profile = PROFILES[dataset.request.profile]
    wanted = {"", *dataset.request.forms}
    chosen = [table for table in tables(profile) if table.form in wanted]
    dataset.cut_off = _fix_cut_off()
    _progress(dataset, "counting")
    with tempfile.TemporaryDirectory(prefix="saphena-dataset-") as folder:
        path = Path(folder) / "dataset.zip"
        with transaction.atomic(using=RELEASE), connections[RELEASE].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT set_config('registry.dataset', %s, true)", [str(dataset.pk)])
            cursor.execute("SELECT registry_draw_pseudonyms()")
            cursor.execute(f'SET LOCAL ROLE "{profile.schema}"')
            expected = expected_rows(cursor, profile, chosen)
            dataset.rows_expected = sum(expected.values())
            dataset.manifest = write_archive(
                path,
                cursor=cursor,
                profile=profile,
                tables=chosen,
                expected=expected,
                about={
                    "dataset": dataset.pk,
                    "profile": profile.code,
                    "cut_off": dataset.cut_off.astimezone(UTC).isoformat(),
                    "protocol_version": CURRENT.version,
                    "codebook_version": codebook.version(),
                    "code_version": code_version(),
                    "forms": dataset.request.forms,
                    "arms": dataset.request.arms,
                },
                said=_teller(dataset),
            )
        # Only now do the pseudonyms stand; before, a failure leaves none of them.
        _progress(dataset, "storing", dataset.rows_expected)
        _store(dataset, path)


def _fix_cut_off() -> datetime:
    """The moment up to which data are taken, once every transaction older than it has ended."""
    with connections[RELEASE].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), pg_current_xact_id()::text")
        moment, number = cursor.fetchone()
        give_up = time.monotonic() + LONGEST_WAIT.total_seconds()
        while True:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8", [number])
            if cursor.fetchone()[0]:
                return moment
            if time.monotonic() > give_up:
                raise ExportError(_("A transaction older than the cut-off did not end."))
            time.sleep(0.2)


def _store(dataset: Dataset, path: Path) -> None:
    """Put the whole file into storage under a random name, and say so last."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        dataset.stored_as = f"datasets/{secrets.token_hex(16)}.zip"
        # Noted first, so that what a crash leaves behind can be found and deleted.
        dataset.save(update_fields=["stored_as"])
        file.seek(0)
        dataset.stored_as = default_storage.save(dataset.stored_as, File(file))
    dataset.sha256, dataset.size = digest, path.stat().st_size
    dataset.state, dataset.stage, dataset.finished_at = Dataset.State.READY, "", timezone.now()
    kept = ["state", "stage", "finished_at", "manifest", "stored_as", "sha256", "size"]
    dataset.save(update_fields=kept)


def _progress(dataset: Dataset, stage: str, rows: int = 0) -> None:
    dataset.stage, dataset.rows_done = stage, rows
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
    from .tasks import build_dataset

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


def _say_ready(dataset: Dataset) -> None:
    """Tell the researcher by mail. A mail that cannot be sent changes nothing in the dataset."""
    project = dataset.request.project
    language = project.researcher.language
    with translation.override(language):
        letter = {
            "language": language,
            "subject": _("Your dataset is ready"),
            "title": project.title,
            "link": settings.SITE_URL + reverse("dataset", args=[dataset.pk]),
        }
        text, html = (
            render_to_string(f"emails/dataset_ready.{part}", {"letter": letter})
            for part in ("txt", "html")
        )
    mail = EmailMultiAlternatives(
        letter["subject"],
        text,
        to=[project.researcher.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(html, "text/html")
    try:
        mail.send()
    except OSError:
        log.exception("No mail about dataset %s", dataset.pk)


def code_version() -> str:
    """The commit the code stands at, or the version of the project where there is no git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
        return str(project["project"]["version"])
    return described.stdout.strip()


# -- downloading ------------------------------------------------------------------------------


def download(*, by: User, dataset: Dataset) -> IO[bytes]:
    """Open a ready dataset's file for its researcher, checked against its SHA-256, and log it.

    Raises :class:`ExportError` when it is not his, not ready, or not the file that was built.
    """
    if by.pk != dataset.request.project.researcher_id or not by.may(Permission.REQUEST_DATASET):
        raise ExportError(_("Only the project's researcher downloads its datasets."))
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
