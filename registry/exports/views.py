"""Pages of datasets: asking, deciding, watching a build, downloading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs

from . import actions, rules
from .actions import ExportError
from .changes import shown
from .forms import RequestForm
from .models import Dataset, DatasetProject, DatasetRequest
from .profiles import PROFILES, SMALLEST
from .tables import tables

LINK_LASTS = 15 * 60  # seconds
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
        project = get_object_or_404(own, pk=number if number.isdecimal() else None)
    sent = request.POST if request.method == "POST" else None
    asking = sent is not None and "preview" not in sent
    form = RequestForm(sent, project=project, asking=asking)
    status = 200
    if form.is_bound and not form.is_valid():
        status = 422
    elif asking:
        try:
            asked = actions.request_dataset(by=request.user, project=project, **form.cleaned_data)
        except ExportError as error:
            form.refuse(error)
            status = 422
        else:
            messages.success(request, _("Sent. A data steward decides, and you see it here."))
            return redirect("dataset_request", asked.pk)
    chosen = form.cleaned_data if form.is_bound else form.initial
    page = {"form": form, "project": project}
    return render(request, "exports/new_request.html", page | _preview(chosen), status=status)


def _preview(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What a choice of profile, forms and arms would give; nothing while it is not complete."""
    profile = PROFILES.get(chosen.get("profile", ""))
    if not profile or not chosen.get("arms"):
        return {}
    wanted = {"", *chosen.get("forms", ())}
    return {
        "profile": profile,
        "tables": [table for table in tables(profile) if table.form in wanted],
        "numbers": rules.preview(actions.sharing_counts(), chosen["arms"]),
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
    labels_of_arms, labels_of_forms = rules.arms(), rules.forms()
    page = {
        "asked": asked,
        "arms": [labels_of_arms[code] for code in asked.arms],
        "forms": [labels_of_forms[code] for code in asked.forms],
        "datasets": asked.datasets.all(),
        "may_decide": may_decide,
        "own": request.user.pk == asked.project.researcher_id,
        "problems": [("reason", error)] if error else [],
        "reason": reason,
    }
    chosen = {"profile": asked.profile, "forms": asked.forms, "arms": asked.arms}
    return render(request, "exports/request.html", page | _preview(chosen), status=status)


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
    project = one.request.project
    own = request.user.pk == project.researcher_id
    token = ""
    if own and one.state == Dataset.State.READY:
        token = signing.dumps([one.pk, request.user.pk], salt=SALT)
    page = {
        "dataset": one,
        "project": project,
        "profile": PROFILES[one.request.profile],
        "own": own,
        "token": token,
        "minutes": LINK_LASTS // 60,
        "problems": [("", error)] if error else [],
        "changes": shown(one.manifest),
        "downloads": one.downloads.select_related("user"),
    }
    return render(request, template or "exports/dataset.html", page, status=status)


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
def download(request: UserRequest, dataset_id: int, token: str) -> HttpResponse:
    """Serve the file under a link signed for this person, for a quarter of an hour."""
    one = get_object_or_404(
        Dataset.objects.select_related("request__project"),
        pk=dataset_id,
        request__project__researcher=request.user.pk,
    )
    try:
        signed_for = signing.loads(token, salt=SALT, max_age=LINK_LASTS)
    except signing.SignatureExpired:
        messages.warning(request, _("The link has expired. Here is a new one."))
        return redirect("dataset", one.pk)
    except signing.BadSignature:
        raise Http404 from None
    if signed_for != [one.pk, request.user.pk]:
        raise Http404
    try:
        file = actions.download(by=request.user, dataset=one)
    except ExportError as error:
        return _dataset_page(request, one, status=409, error=str(error))
    name = f"saphena-dataset-{one.pk}.zip"
    response: Any = FileResponse(file, as_attachment=True, filename=name)
    return response


def _visible_dataset(request: UserRequest, dataset_id: int) -> Dataset:
    visible = Dataset.objects.visible_to(request.user)
    one: Dataset = get_object_or_404(
        visible.select_related("request__project__researcher"), pk=dataset_id
    )
    return one
