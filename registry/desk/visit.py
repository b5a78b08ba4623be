"""The visit's page: one page, its forms as sections, both legs side by side."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dictionary import date, text
from registry.core.errors import RefusedError
from registry.core.forms import Clock, ItemsForm
from registry.quality.models import DataQuery
from registry.visits import actions
from registry.visits.models import Visit

from . import guard
from .reasons import REASONS
from .section import Section, last_records, saved_at, sections_of

VISIT_ON = {"visit_on": date("Date of the visit", required=True, absence=False).item}
MISSED = {"because": text("Why the visit was missed", required=True, absence=False).item}


def visible_visit(request: UserRequest, pk: int, permission: Permission) -> Visit:
    visits = Visit.objects.visible_to(request.user, permission)
    return get_object_or_404(visits.select_related("participant__site"), pk=pk)


@needs(Permission.VIEW)
def visit(request: UserRequest, pk: int) -> HttpResponse:
    found = visible_visit(request, pk, Permission.VIEW)
    sections = sections_of(found)
    for section in sections:
        section.bind(request.user, last=last_records(found, section))
    return show_visit(request, found, sections)


@needs(Permission.ENTER)
def attend(request: UserRequest, pk: int) -> HttpResponse:
    """Record the day on which the participant came."""
    found = visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    if refused := guard.misplaced(request, found.participant):
        return show_visit(request, found, [], status=409, problems=[("", refused)])
    form = _date_form(found, request.POST)
    if form.is_valid():
        try:
            actions.attend_visit(by=request.user, visit=found, on=form.values["visit_on"])
        except RefusedError as refused:
            form.add_error("visit_on", str(refused))
        else:
            return redirect("visit", pk)
    return show_visit(request, found, [], status=422, date_form=form)


@needs(Permission.ENTER)
def miss(request: UserRequest, pk: int) -> HttpResponse:
    """Record that the visit will not take place, and why."""
    found = visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    if refused := guard.misplaced(request, found.participant):
        return show_visit(request, found, [], status=409, problems=[("", refused)])
    form = _missed_form(found, request.POST)
    if form.is_valid():
        try:
            actions.miss_visit(by=request.user, visit=found, because=form.values["because"])
        except RefusedError as refused:
            form.add_error("because", str(refused))
        else:
            messages.success(request, _("The visit is recorded as missed."))
            return redirect("participant", found.participant.study_number)
    return show_visit(request, found, [], status=422, missed_form=form)


def _date_form(visit: Visit, data: Any = None) -> ItemsForm:
    site = visit.participant.site
    initial = {"visit_on": visit.attended_on.isoformat()} if visit.attended_on else {}
    return ItemsForm(VISIT_ON, Clock(site.today, order=site.date_order), data=data, initial=initial)


def _missed_form(visit: Visit, data: Any = None) -> ItemsForm:
    return ItemsForm(MISSED, Clock(visit.participant.site.today), data=data)


def show_visit(
    request: UserRequest,
    visit: Visit,
    sections: list[Section],
    status: int = 200,
    date_form: ItemsForm | None = None,
    missed_form: ItemsForm | None = None,
    problems: list[tuple[str, str]] | None = None,
) -> HttpResponse:
    with_status = Visit.objects.filter(pk=visit.pk).with_status(visit.participant.site.today)
    keys = {
        (record._meta.label_lower, record.pk): section.anchor
        for section in sections
        for record in section.records.values()
    }
    queries = DataQuery.objects.for_user(request.user).unanswered()
    queries = queries.filter(participant_no=visit.participant_id)
    problem_form = date_form or missed_form
    context = {
        "visit": visit,
        "participant": visit.participant,
        "status": with_status.get().status,
        "sections": sections,
        "problems": problems or (problem_form.problems if problem_form else []),
        "queries": [
            (query, keys[query.label, query.key])
            for query in queries
            if (query.label, query.key) in keys
        ],
        "date_form": date_form or _date_form(visit),
        "missed_form": missed_form or _missed_form(visit),
        "may_enter": request.user.may(Permission.ENTER, visit.site_id),
        "page_token": guard.page_token(request.user, visit.participant),
        "saved_at": saved_at(sections),
        "reasons": REASONS,
        "asks_ulcers": any(asked.form == "ulcers" for asked in visit.asked),
    }
    return render(request, "desk/visit.html", context, status=status)
