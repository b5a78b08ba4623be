"""Which release a dataset is compared with, and who went out in each."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from ..models import Dataset


def earlier_release(dataset: Dataset) -> Dataset | None:
    """The release that a dataset says its changes since; None for a project's first.

    The latest of an earlier cut-off. A rebuild takes the one that its first build took: what was
    built since for a cut-off between the two would change its bytes.
    """
    ready = Dataset.objects.filter(
        state=Dataset.State.READY,
        manifest__has_key="changes",  # those from before people were recorded cannot be compared
        request__project=dataset.request.project_id,
    ).select_related("request")
    if first := first_build(dataset, ready):
        told = first.manifest["changes"]
        return ready.get(pk=told["since"]["dataset"]) if told else None
    return ready.filter(cut_off__lt=dataset.cut_off).order_by("-cut_off", "pk").first()


def first_build(dataset: Dataset, ready: QuerySet[Dataset]) -> Dataset | None:
    """Of ``ready`` ones the first of the same request and cut-off."""
    same = ready.filter(request=dataset.request_id, cut_off=dataset.cut_off)
    return same.order_by("pk").first()


def record_people(cursor: Any, earlier: Dataset | None) -> dict[str, int]:
    """Keep who is in the dataset that ``cursor`` has prepared; how that differs from ``earlier``.

    ``added``, ``gone``, and of these ``stopped_sharing``, or nothing without an earlier one.
    """
    cursor.execute("SELECT * FROM registry_record_people(%s)", [earlier and earlier.pk])
    counted = cursor.fetchone()
    return dict(zip(("added", "gone", "stopped_sharing"), counted, strict=True)) if earlier else {}
