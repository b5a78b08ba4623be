"""Pages of datasets: asking, deciding, watching a build, downloading."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.numbers import read_whole
from registry.imaging.models import Xray

from . import actions, links, ranges, words
from .actions import ExportError
from .changes import shown
from .disclosure.report import blocked
from .disclosure.report import shown as told
from .forms import RequestForm
from .models import Dataset, DatasetProject, DatasetRequest
from .profiles import PROFILES, SMALLEST
from .tables import tables_for
from .withheld import changed

LINK_LASTS = 24 * 60 * 60  # seconds: a download that broke off goes on under the same link
OFTEN, SELDOM = 2, 10  # seconds between two looks at a build, at first and later
AT_FIRST = timedelta(minutes=1)
SALT = "registry.exports.download"


either = needs(Permission.REQUEST_DATASET, Permission.APPROVE_DATASET)


@require_safe
@either
def datasets(request: UserRequest) -> HttpResponse:
    """A researcher's projects with their requests and datasets; a steward's waiting requests."""
    requests = (
        DatasetRequest.objects.visible_to(request.user)
        .select_related("project__researcher", "decided_by")
        .prefetch_related("datasets")
    )
    waiting = requests.filter(state=DatasetRequest.State.ASKED)
    return render(
        request,
        "exports/datasets.html",
        {
            "may_request": request.user.may(Permission.REQUEST_DATASET),
            "may_approve": request.user.may(Permission.APPROVE_DATASET),
            "waiting": waiting.exclude(asked_by=request.user.pk),
            "requests": requests,
        },
    )


@needs(Permission.REQUEST_DATASET)
def new_request(request: UserRequest) -> HttpResponse:
    """Describe what is wanted, see what will come of it, and ask for it.

    The button ``preview`` shows columns and numbers for what is chosen and asks for nothing.
    """
    project = None
    if number := request.GET.get("project"):
        own = DatasetProject.objects.filter(researcher=request.user.pk)
        project = get_object_or_404(own, pk=read_whole(number))
    sent = request.POST if request.method == "POST" else None
    asking = sent is not None and "preview" not in sent
    form = RequestForm(sent, project=project, asking=asking)
    valid, described, preview = form.is_valid(), form.asked, {}
    if valid and asking:
        try:
            asked = actions.request_dataset(by=request.user, project=project, **form.cleaned_data)
        except ExportError as error:
            form.refuse(error)
        else:
            messages.success(request, _("Sent. A data steward decides, and you see it here."))
            return redirect("dataset_request", asked.pk)
    if described:
        try:
            preview = _preview(described)
        except ExportError as error:
            if not form.errors:
                form.refuse(error)
    page = {"form": form, "project": project, **preview}
    return render(request, "exports/new_request.html", page, status=422 if form.errors else 200)


def _preview(asked: DatasetRequest) -> dict[str, Any]:
    """What a request would give, sent or not. Raises :class:`ExportError` for one not allowed."""
    numbers = actions.preview(asked)
    profile = PROFILES[asked.profile]
    chosen = tables_for(profile, asked.forms)
    return {
        "profile": profile,
        "tables": chosen,
        "changed": changed(profile, chosen),
        "numbers": numbers,
        "films_asked": Xray.declaration.code in asked.forms,
        "smallest": SMALLEST,
    }


@either
def dataset_request(request: UserRequest, request_id: int) -> HttpResponse:
    """One request: what is asked for, and for a steward the decision."""
    visible = DatasetRequest.objects.visible_to(request.user)
    asked = get_object_or_404(
        visible.select_related("project__researcher", "decided_by"), pk=request_id
    )
    may_decide = (
        request.user.may(Permission.APPROVE_DATASET)
        and asked.state == DatasetRequest.State.ASKED
        and request.user.pk != asked.asked_by_id
    )
    error, status, reason = "", 200, request.POST.get("reason", "")
    if request.method == "POST":
        if not request.user.may(Permission.APPROVE_DATASET):
            raise PermissionDenied
        try:
            if request.POST.get("decision") == "approve":
                actions.approve_request(by=request.user, request=asked)
                messages.success(request, _("Approved. The dataset is being built."))
            else:
                actions.return_request(by=request.user, request=asked, reason=reason)
                messages.success(request, _("Returned with your reason."))
        except ExportError as refused:
            error, status = str(refused), 422
        else:
            return redirect("dataset_request", asked.pk)
    page = {
        "asked": asked,
        "choices": words.choices(asked),
        "datasets": asked.datasets.all(),
        "may_decide": may_decide,
        "own": request.user.pk == asked.project.researcher_id,
        "problems": [("reason", error)] if error else [],
        "reason": reason,
    }
    if may_decide:
        report = actions.disclosure_now(by=request.user, request=asked)
        page["blocked"] = blocked(report) if report["blocked"] else ""
        page["disclosure"] = None if report["blocked"] else told(report, PROFILES[asked.profile])
    with suppress(ExportError):  # what could be asked for then cannot any more
        page |= _preview(asked)
    return render(request, "exports/request.html", page, status=status)


@require_safe
@either
def dataset(request: UserRequest, dataset_id: int) -> HttpResponse:
    """One build: its progress while it runs (fetched again by htmx), then its manifest and link."""
    one = _visible_dataset(request, dataset_id)
    fragment = getattr(request, "htmx", False)
    return _dataset_page(request, one, "exports/_dataset.html" if fragment else "")


def _dataset_page(
    request: UserRequest, one: Dataset, template: str = "", status: int = 200, error: str = ""
) -> HttpResponse:
    project, profile = one.request.project, PROFILES[one.request.profile]
    own = request.user.pk == project.researcher_id
    fetchable = own and one.state == Dataset.State.READY
    page = {
        "dataset": one,
        "stage": words.stage(one.stage, profile),
        "every": OFTEN if timezone.now() - one.queued_at < AT_FIRST else SELDOM,
        "choices": words.choices(one.request),
        "files": sorted(one.manifest.get("sha256", {}).items()),
        "project": project,
        "profile": profile,
        "own": own,
        "token": links.signed(request, one, SALT) if fetchable else "",
        "hours": LINK_LASTS // 3600,
        "problems": [("", error)] if error else [],
        "changes": shown(one.manifest),
        "disclosure": told(one.disclosure, profile) if one.disclosure else None,
        "every_figure": not own and request.user.may(Permission.APPROVE_DATASET),
        "downloads": one.downloads.select_related("user"),
    }
    return render(request, template or "exports/dataset.html", page, status=status)


@require_POST
@either
def cancel(request: UserRequest, dataset_id: int) -> HttpResponse:
    """Cancel a build that has not finished."""
    one = _visible_dataset(request, dataset_id)
    try:
        actions.cancel_dataset(by=request.user, dataset=one)
    except ExportError as error:
        return _dataset_page(request, one, status=409, error=str(error))
    return redirect("dataset", one.pk)


@require_POST
@either
def build_again(request: UserRequest, dataset_id: int) -> HttpResponse:
    """Build the request of a finished dataset once more: a retry, or the project's next release."""
    one = _visible_dataset(request, dataset_id)
    try:
        again = actions.order_build(by=request.user, request=one.request)
    except ExportError as error:
        return _dataset_page(request, one, status=409, error=str(error))
    return redirect("dataset", again.pk)


@require_safe
@needs(Permission.REQUEST_DATASET)
def download(request: UserRequest, dataset_id: int, token: str) -> Any:
    """Serve the file, or the rest of it, under a link signed for this person, for a day."""
    one = get_object_or_404(
        Dataset.objects.select_related("request__project"),
        pk=dataset_id,
        request__project__researcher=request.user.pk,
    )
    if links.expired(request, one, token, SALT, LINK_LASTS):
        return redirect("dataset", one.pk)
    try:
        file = actions.download(by=request.user, dataset=one)
    except ExportError as error:
        return _dataset_page(request, one, status=409, error=str(error))
    name = f"saphena-dataset-{one.pk}.zip"
    return ranges.answer(request, file, size=one.size or 0, tag=one.sha256, name=name)


def _visible_dataset(request: UserRequest, dataset_id: int) -> Dataset:
    visible = Dataset.objects.visible_to(request.user)
    one: Dataset = get_object_or_404(
        visible.select_related("request__project__researcher"), pk=dataset_id
    )
    return one
