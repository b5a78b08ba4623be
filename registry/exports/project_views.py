"""Pages of a project: its requests and releases, and what it has to delete."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC
from typing import Any

from django.contrib import messages
from django.db.models import Count, Min, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.access.views import UserRequest
from registry.core.numbers import read_whole

from . import actions
from .actions import ExportError
from .changes import shown
from .models import Dataset, DatasetProject
from .profiles import PROFILES
from .views import either

OPEN = Q(deletions__confirmed_at=None, deletions__lifted_at=None)


@require_safe
@either
def projects(request: UserRequest) -> HttpResponse:
    """Every project that one may see, those that still have to delete something first."""
    return render(request, "exports/projects.html", {"projects": _visible(request)})


def _visible(request: UserRequest) -> QuerySet[Any]:
    visible = DatasetProject.objects.visible_to(request.user).select_related("researcher")
    return visible.annotate(
        to_delete=Count("deletions", OPEN), to_delete_since=Min("deletions__found_at", filter=OPEN)
    ).order_by("to_delete_since", "-created_at", "-pk")


@require_safe
@either
def project(request: UserRequest, project_id: int) -> HttpResponse:
    """A project's requests and datasets in their order, and what changed from each to the next."""
    one: Any = get_object_or_404(_visible(request), pk=project_id)
    datasets = (
        Dataset.objects.filter(request__project=one)
        .select_related("request")
        .annotate(times=Count("downloads"))
        .order_by("queued_at", "pk")
    )
    to_delete = actions.to_delete(project=one) if one.to_delete else []
    per_dataset = Counter(number for each in to_delete for number in each.datasets)
    page = {
        "project": one,
        "own": request.user.pk == one.researcher_id,
        "requests": [
            (asked, PROFILES[asked.profile])
            for asked in one.requests.select_related("decided_by").order_by("asked_at", "pk")
        ],
        "releases": [
            {
                "dataset": dataset,
                "profile": PROFILES[dataset.request.profile],
                "participants": _participants(dataset),
                "changes": shown(dataset.manifest),
                "to_delete": per_dataset[dataset.pk],
            }
            for dataset in datasets
        ],
    }
    return render(request, "exports/project.html", page)


def _participants(dataset: Dataset) -> int | None:
    rows = {row["table"]: row["delivered"] for row in dataset.manifest.get("tables", ())}
    return rows.get("participants")


@require_http_methods(["GET", "HEAD", "POST"])
@either
def deletions(request: UserRequest, project_id: int) -> HttpResponse:
    """The pseudonyms that a project has to delete; its researcher confirms that it has."""
    one = get_object_or_404(_visible(request), pk=project_id)
    error, status = "", 200
    if request.method == "POST":
        last = read_whole(request.POST.get("last", ""))
        try:
            actions.confirm_deletions(by=request.user, project=one, last=last)
        except ExportError as refused:
            error, status = str(refused), 409
        else:
            messages.success(request, _("Written down with your name and the time. Thank you."))
            return redirect("dataset_deletions", one.pk)
    found = actions.to_delete(project=one)
    done: QuerySet[Any, dict[str, Any]] = (
        one.deletions.filter(confirmed_at__isnull=False)
        .values("confirmed_at", "confirmed_by__name")
        .annotate(number=Count("pk"))
        .order_by("confirmed_at")
    )
    page = {
        "project": one,
        "own": request.user.pk == one.researcher_id,
        "to_delete": found,
        "last": max((each.deletion for each in found), default=0),
        "building": Dataset.objects.filter(
            request__project=one, state__in=Dataset.UNFINISHED
        ).exists(),
        "told": one.deletions.open().filter(told_at__isnull=False).order_by("told_at").last(),
        "done": done,
        "lifted": one.deletions.filter(lifted_at__isnull=False).count(),
        "problems": [("", error)] if error else [],
    }
    return render(request, "exports/deletions.html", page, status=status)


@require_safe
@either
def deletions_csv(request: UserRequest, project_id: int) -> HttpResponse:
    """The same as a table to join with one's own copies by ``participant``."""
    one = get_object_or_404(_visible(request), pk=project_id)
    name = f"saphena-project-{one.pk}-to-delete.csv"
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
    writer = csv.writer(response)
    writer.writerow(["participant", "to_delete_since", "datasets"])
    for each in actions.to_delete(project=one):
        since = each.found_at.astimezone(UTC).isoformat(timespec="seconds")
        writer.writerow([each.pseudonym, since, " ".join(map(str, each.datasets))])
    return response
