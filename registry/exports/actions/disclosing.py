"""The disclosure report: of the dataset being built, and of a request by what is recorded now."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.roles import Permission

from ..disclosure.declared import SUPPRESSED
from ..disclosure.report import blocked
from ..models import Dataset, DatasetRequest
from .comparing import first_build
from .errors import ExportError


def disclose(cursor: Any, dataset: Dataset) -> dict[str, Any]:
    """Decide what the dataset that ``cursor`` has prepared shows of each person; the report.

    Raises :class:`ExportError` where nothing can be shown.
    """
    cursor.execute(
        "SELECT registry_disclose_dataset(%s, %s, %s)",
        [*_limits(dataset.request), _joined(dataset)],
    )
    report = json.loads(cursor.fetchone()[0])
    if report["blocked"]:
        raise ExportError(blocked(report))
    return report


def disclosure_now(*, by: User, request: DatasetRequest) -> dict[str, Any]:
    """The report that a dataset of the request would get now. Raises :class:`ExportError`."""
    if not by.may(Permission.APPROVE_DATASET):
        raise ExportError(_("Only a data steward decides on requests."))
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT registry_disclosure_now(%s, %s, %s)", [request.pk, *_limits(request)]
        )
        report: dict[str, Any] = json.loads(cursor.fetchone()[0])
    return report


def _limits(request: DatasetRequest) -> tuple[int, Decimal]:
    return settings.DISCLOSURE_K[request.profile], SUPPRESSED


def _joined(dataset: Dataset) -> list[int]:
    """The releases that the project has; of a rebuild those that it had for its first build."""
    ready = Dataset.objects.filter(
        state=Dataset.State.READY, request__project=dataset.request.project_id
    )
    if first := first_build(dataset, ready.exclude(disclosure={})):
        return [one["dataset"] for one in first.disclosure["releases"]]
    return list(ready.order_by("pk").values_list("pk", flat=True))
