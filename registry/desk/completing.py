"""Completing a whole visit in one press: what owes nothing is completed, the rest is named."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.errors import RefusedError
from registry.core.findings import Level
from registry.participants.guard import check_page

from .column import Column
from .saving import write
from .section import Section, last_records, sections_of
from .shown import changed_since, hold
from .visit import bound_sections, show_visit, visible_visit


@needs(Permission.ENTER)
def complete_visit(request: UserRequest, pk: int) -> HttpResponse:
    """Complete every column whose draft owes nothing; 422 lists what is owed, as links."""
    found = visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    check_page(request, found.participant)
    hold(found.entries.all(), found.participant_id)
    if changed := changed_since(request.POST, found.entries.all()):
        sections = bound_sections(request, found)
        return show_visit(request, found, sections, status=409, problems=[("", changed)])
    sections = sections_of(found)
    for section in sections:
        section.bind(request.user, last=last_records(found, section), judge=True)
    owed = [problem for section in sections for problem in _complete(request, section)]
    if not owed:
        messages.success(request, _("%(visit)s: complete.") % {"visit": found.label})
        return redirect("visit", pk)
    sections = sections_of(found)  # what was completed shows so
    for section in sections:
        section.bind(request.user, last=last_records(found, section), judge=True)
        for column in section.columns:
            column.form.is_valid()
    return show_visit(request, found, sections, status=422, problems=owed)


def _complete(request: UserRequest, section: Section) -> list[tuple[str, str]]:
    """Complete the section's columns that may be; what the others owe, with its place."""
    owed = []
    for column in section.columns:
        if column.entry.is_finished:
            continue
        place = f"{section.title}, {column.entry.place}" if column.entry.place else section.title
        owed += [
            (id_ or section.anchor, f"{place}: {message}")
            for id_, message in _owes(request, column)
        ]
    return owed


def _owes(request: UserRequest, column: Column) -> list[tuple[str, str]]:
    """Complete one column, or say at which control what is owed."""
    form = column.form
    if column.entry.draft is None:
        return [("", _("Not started"))]
    if column.record is not None:
        return [("", _("Say why the answers change: complete it by itself."))]
    if not form.is_valid():
        return list(form.problems)
    unusual = [finding for finding in form.findings if finding.level == Level.UNUSUAL]
    if unusual:
        return [(form[finding.item].auto_id, finding.message) for finding in unusual]
    try:
        with transaction.atomic():
            if write(request, column):
                return []
            transaction.set_rollback(True)
    except RefusedError as refused:
        return [("", str(refused))]
    return list(form.problems)
