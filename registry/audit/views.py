"""A record's history: every change, by whom, when and why."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render

from registry.access.models import SiteRecord
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs

from .models import Change

PAGE = 50
NOT_SHOWN = frozenset({"entry_id", "participant_id", "absent", "confirmed"})


@needs(Permission.VIEW)
def history(request: UserRequest, label: str, key: int) -> HttpResponse:
    """Changes of the record ``label`` (``app.model``) with primary key ``key``, newest first."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise Http404 from None
    if not issubclass(model, SiteRecord):
        raise Http404
    permission = (
        Permission.SEE_IDENTITY if model.scope_setting == "identity_sites" else Permission.VIEW
    )
    changes = (
        Change.objects.filter(label=label, key=key, site__in=request.user.sites_with(permission))
        .select_related("by")
        .order_by("-id")
    )
    page = Paginator(changes, PAGE).get_page(request.GET.get("page"))
    if not page.object_list:
        raise Http404
    for change in page:
        change.lines = _lines(model, change)  # type: ignore[attr-defined]
    declaration = getattr(model, "declaration", None)
    what = declaration.label if declaration else model._meta.verbose_name
    return render(request, "audit/history.html", {"page": page, "what": what, "key": key})


def _lines(model: type[SiteRecord], change: Change) -> list[tuple[Any, Any, Any]]:
    """(item, old, new) of a change; encrypted values are never shown."""
    lines = []
    for column in model._meta.concrete_fields:
        if column.column not in change.changes or column.column in NOT_SHOWN:
            continue
        old, new = change.changes[column.column]
        if column.get_internal_type() == "BinaryField":
            old, new = (value and "…" for value in (old, new))
        item = getattr(column, "item", None)
        lines.append((item.label if item and item.text else column.verbose_name, old, new))
    return lines
