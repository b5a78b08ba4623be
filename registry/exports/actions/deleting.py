"""Telling a project which pseudonyms to delete: their participants went out and stopped sharing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connections, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import User

from ..models import Dataset, DatasetProject, Deletion
from .errors import ExportError
from .telling import say_deletions


@dataclass(frozen=True)
class ToDelete:
    """A pseudonym to delete: its row of the ledger, since when, and the datasets it went out in."""

    deletion: int
    pseudonym: str
    found_at: datetime
    datasets: Sequence[int]


def find_deletions() -> None:
    """Write down who went out and stopped sharing, and tell the researchers; runs each hour.

    A mail that cannot be sent is tried again by the next run.
    """
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT registry_find_deletions()")
    untold = Deletion.objects.open().filter(told_at=None)
    projects = DatasetProject.objects.select_related("researcher")
    for project in projects.filter(pk__in=untold.values("project")).order_by("pk"):
        with transaction.atomic():
            # Another run that tells them holds them; a death after the mail sends it once more.
            rows = untold.filter(project=project).select_for_update(skip_locked=True)
            keys = list(rows.values_list("pk", flat=True))
            if keys and say_deletions(project, len(keys)):
                Deletion.objects.filter(pk__in=keys).update(told_at=timezone.now())


def to_delete(*, project: DatasetProject) -> list[ToDelete]:
    """The pseudonyms that a project still has to delete, in their order."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT deletion, pseudonym, found_at, datasets FROM registry_pseudonyms_to_delete(%s)",
            [project.pk],
        )
        return [ToDelete(*row) for row in cursor.fetchall()]


@transaction.atomic
def confirm_deletions(*, by: User, project: DatasetProject, last: int) -> None:
    """Say that what the project had to delete is deleted, up to the row ``last`` that was shown.

    Raises :class:`ExportError`.
    """
    if by.pk != project.researcher_id:
        raise ExportError(_("Only the project's researcher confirms what was deleted."))
    DatasetProject.objects.select_for_update().get(pk=project.pk)  # no build is ordered meanwhile
    # One begun before sharing stopped holds the participants still.
    if Dataset.objects.filter(request__project=project, state__in=Dataset.UNFINISHED).exists():
        raise ExportError(
            _("A dataset of this project is being built and may hold them: confirm when it ended.")
        )
    confirmed = (
        Deletion.objects.open()
        .filter(project=project, pk__lte=last)
        .update(confirmed_at=timezone.now(), confirmed_by=by)
    )
    if not confirmed:
        raise ExportError(_("Nothing of what you saw is left to confirm."))
