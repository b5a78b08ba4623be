"""Writes of projects and requests: asking, deciding, ordering a build."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connections, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.roles import Permission

from .. import rules
from ..models import Dataset, DatasetProject, DatasetRequest
from ..profiles import PROFILES
from ..writers import FORMATS
from .errors import ExportError


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
    formats: Sequence[str] = tuple(FORMATS),
) -> DatasetRequest:
    """Ask for a dataset of a new project (``title``, ``purpose``) or of one's own ``project``.

    ``profile``, ``forms``, ``arms`` and ``formats`` are codes. Raises :class:`ExportError`.
    """
    if not by.may(Permission.REQUEST_DATASET):
        raise ExportError(_("Only a researcher asks for datasets."))
    if profile not in PROFILES:
        raise ExportError(_("Choose how the data are de-identified."), "profile")
    if not arms or not set(arms) <= set(rules.arms()):
        raise ExportError(_("Choose at least one arm."), "arms")
    if not set(forms) <= set(rules.forms()):
        raise ExportError(_("There is no such form."), "forms")
    if not formats or not set(formats) <= set(FORMATS):
        raise ExportError(_("Choose at least one format."), "formats")
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
        formats=sorted(set(formats)),
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
    from ..tasks import build_dataset

    DatasetProject.objects.select_for_update().get(pk=request.project_id)
    if by.pk != request.project.researcher_id and not by.may(Permission.APPROVE_DATASET):
        raise ExportError(_("The project is another researcher's."))
    unfinished = Dataset.objects.filter(state__in=Dataset.UNFINISHED)
    if unfinished.filter(request__project=request.project_id).exists():
        raise ExportError(_("A dataset of this project is being built: wait until it is ready."))
    dataset = order(by=by, request=request)
    # The minute's sweep sends it again should the broker not answer.
    transaction.on_commit(lambda: build_dataset.delay(dataset.pk), robust=True)
    return dataset


def order(*, by: User, request: DatasetRequest, cut_off: datetime | None = None) -> Dataset:
    """A dataset to be built of an approved request, as of ``cut_off``, or of when it is built.

    Raises :class:`ExportError`.
    """
    if request.state != DatasetRequest.State.APPROVED:
        raise ExportError(_("The request is not approved."))
    if cut_off and cut_off > timezone.now():
        raise ExportError(_("The cut-off lies in the future."), "cut_off")
    return Dataset.objects.create(request=request, queued_by=by, cut_off=cut_off)


def sharing_counts() -> list[rules.Count]:
    """Participants by arm and by what becomes of them; ``people`` is None where there are few."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT arm, outcome, people FROM registry_sharing_counts()")
        return [rules.Count(*row) for row in cursor.fetchall()]
