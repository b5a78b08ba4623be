"""The list of data queries."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs

from .models import DataQuery

PAGE = 50


@needs(Permission.VIEW)
def queries(request: UserRequest) -> HttpResponse:
    """Queries that concern the user, oldest first; filters ``state`` and ``site``."""
    found = DataQuery.objects.for_user(request.user).select_related("site").order_by("opened_at")
    states = DataQuery.State.values
    chosen = request.GET.get("state", "")
    found = found.filter(state=chosen) if chosen in states else found.exclude(state="closed")
    if (site := request.GET.get("site", "")).isdigit():
        found = found.filter(site=int(site))
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "chosen": chosen, "states": DataQuery.State.choices}
    return render(request, "quality/queries.html", context)
