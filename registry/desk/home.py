"""Home: what needs me today, each line a link to the very place."""

from __future__ import annotations

from typing import cast

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.imaging.models import Xray
from registry.quality.models import DataQuery
from registry.visits.crf import FORMS
from registry.visits.models import FormEntry, Visit

SHOWN = 8
PAGE = 50


def home(request: HttpRequest) -> HttpResponse:
    """The page each role starts from."""
    if not request.user.is_authenticated:
        return redirect("account_login")
    user = request.user
    if user.may(Permission.VIEW):
        return _today(cast(UserRequest, request))
    for permission, place in (
        (Permission.READ_FILMS, "readings"),
        (Permission.REQUEST_DATASET, "datasets"),
        (Permission.APPROVE_DATASET, "datasets"),
        (Permission.MANAGE_USERS, "users"),
    ):
        if user.may(permission):
            return redirect(place)
    return render(request, "desk/no_role.html")


def _today(request: UserRequest) -> HttpResponse:
    user, today = request.user, timezone.localdate()
    visits = Visit.objects.visible_to(user).select_related("participant")
    drafts = (
        FormEntry.objects.visible_to(user)
        .filter(draft__isnull=False)
        .select_related("participant", "visit__participant", "draft_by")
        .order_by("draft_at")
    )
    groups = {
        "overdue": visits.overdue(today).order_by("closes_on"),
        "due": visits.due(today).order_by("closes_on"),
        "coming": visits.coming(today, 7).order_by("opens_on"),
        "drafts": drafts,
        "queries": DataQuery.objects.for_user(user).unanswered().order_by("opened_at"),
        "films": Xray.objects.films_without_grade(user).select_related("entry__visit__participant"),
    }
    counts = {name: group.count() for name, group in groups.items()}
    first = {name: list(group[:SHOWN]) for name, group in groups.items()}
    for entry in first["drafts"]:
        entry.form_label = FORMS[entry.form].label
    return render(request, "desk/home.html", {"today": today, "counts": counts, "first": first})


@needs(Permission.VIEW)
def worklist(request: UserRequest) -> HttpResponse:
    """Visits overdue, due or coming; the filters are in the address, so a list can be shared."""
    today = timezone.localdate()
    visits = Visit.objects.visible_to(request.user).select_related("participant__site")
    lists = {
        "overdue": (_("Overdue"), visits.overdue(today).order_by("closes_on", "pk")),
        "due": (_("Due"), visits.due(today).order_by("closes_on", "pk")),
        "coming": (_("Opening within 7 days"), visits.coming(today, 7).order_by("opens_on", "pk")),
    }
    chosen = request.GET.get("status")
    if chosen not in lists:
        chosen = "overdue"
    page = Paginator(lists[chosen][1], PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "chosen": chosen, "title": lists[chosen][0]}
    context["lists"] = [(code, label) for code, (label, _visits) in lists.items()]
    return render(request, "desk/worklist.html", context)
