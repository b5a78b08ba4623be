"""A record's history: every change, by whom, when and why."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.apps import apps
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.text import capfirst
from django.utils.translation import gettext

from registry.access.models import SiteRecord
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dates import show_date, show_moment
from registry.core.dictionary import ABSENCE_CODES, Item, Kind
from registry.core.forms import show_value

from .models import Change

PAGE = 50
# Keys, and what is shown at the items themselves.
NOT_SHOWN = frozenset({"entry", "participant", "screening", "by", "absent", "confirmed"})


@needs(Permission.VIEW)
def history(request: UserRequest, label: str, key: int) -> HttpResponse:
    """Changes of the record ``label`` (``app.model``) with primary key ``key``, newest first."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise Http404 from None
    if not issubclass(model, SiteRecord):
        raise Http404
    record = model.objects.filter(pk=key)
    if record.exists() and not record.for_user(request.user).exists():
        raise Http404
    sites = request.user.sites_with(model.history_needs)
    changes = (
        Change.objects.filter(label=label, key=key, site__in=sites)
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


def _lines(model: type[SiteRecord], change: Change) -> list[tuple[str, str, str]]:
    """(item, before, after) of a change in words; encrypted values are never shown."""
    lines = []
    columns = [column for column in model._meta.concrete_fields if column.name not in NOT_SHOWN]
    absences, confirmed = (
        [ends or {} for ends in change.changes.get(name, ({}, {}))]
        for name in ("absent", "confirmed")
    )
    for column in columns:
        reasons = [_absence(ends.get(column.name)) for ends in absences]
        values = change.changes.get(column.column, (None, None))
        before, after = (
            _shown(column, value) or reason for value, reason in zip(values, reasons, strict=True)
        )
        if column.column in change.changes or any(reasons):
            lines.append((_name(column), before, after))
        was, now = (_right(column, ends.get(column.name)) for ends in confirmed)
        if was != now:
            lines.append((_name(column), was, now))
    return lines


def _right(column: Any, value: str | None) -> str:
    """What who entered an unusual value said of it."""
    return f"{_shown(column, value)}: {gettext('It is right')}" if value else ""


def _name(column: Any) -> str:
    item: Item | None = getattr(column, "item", None)
    return item.label if item and item.text else capfirst(gettext(str(column.verbose_name)))


def _absence(code: str | None) -> str:
    return gettext(ABSENCE_CODES[code]) if code else ""


def _shown(column: Any, stored: Any) -> str:
    """A value of a column's JSON in words."""
    if stored is None or stored == "":
        return ""
    if column.get_internal_type() == "BinaryField":
        return "…"
    value = column.to_python(stored)
    item: Item | None = getattr(column, "item", None)
    if item and item.kind != Kind.KEPT:
        return show_value(item, value)
    if isinstance(value, datetime):
        return show_moment(value)
    if isinstance(value, date):
        return show_date(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(dict(column.flatchoices).get(value, value))
