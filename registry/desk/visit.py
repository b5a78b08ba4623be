"""The visit's page: one page, its forms as sections, both legs side by side."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.forms import ItemsForm
from registry.visits.forms import forms_of
from registry.visits.models import FormEntry, Visit

from . import notes, signing
from .reasons import REASONS
from .section import Section, last_records, saved_at, sections_of


def visible_visit(request: UserRequest, pk: int, permission: Permission) -> Visit:
    visits = Visit.objects.visible_to(request.user, permission)
    return get_object_or_404(visits.select_related("participant__site"), pk=pk)


@needs(Permission.VIEW)
def visit(request: UserRequest, pk: int) -> HttpResponse:
    found = visible_visit(request, pk, Permission.VIEW)
    return show_visit(request, found, bound_sections(request, found))


def bound_sections(request: UserRequest, visit: Visit) -> list[Section]:
    """The visit's sections with what is stored in them."""
    sections = sections_of(visit)
    for section in sections:
        section.bind(request.user, last=last_records(visit, section))
    return sections


def show_visit(
    request: UserRequest,
    visit: Visit,
    sections: list[Section],
    status: int = 200,
    forms: Mapping[str, ItemsForm] | None = None,
    problems: list[tuple[str, str]] | None = None,
) -> HttpResponse:
    with_status = Visit.objects.filter(pk=visit.pk).with_status(visit.participant.site.today)
    refused = [problem for form in (forms or {}).values() for problem in form.problems]
    context = {
        "visit": visit,
        "participant": visit.participant,
        "status": with_status.get().status,
        "sections": sections,
        "problems": problems or refused,
        "queries": notes.attach(request.user, sections),
        "signing": signing.block(request.user, visit) if sections else None,
        "forms": forms_of(visit) | dict(forms or {}),
        "begun": visit.entries.filter(FormEntry.begun()).exists(),
        "may_enter": request.user.may(Permission.ENTER, visit.site_id),
        "saved_at": saved_at(sections),
        "reasons": REASONS,
        "asks_ulcers": any(asked.form == "ulcers" for asked in visit.asked),
    }
    return render(request, "desk/visit.html", context, status=status)
