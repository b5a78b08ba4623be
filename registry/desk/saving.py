"""Saving a section of the visit's page: as a draft, or complete."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.errors import RefusedError
from registry.visits import actions

from .section import Column, Section, last_records, sections_of
from .visit import show_visit, visible_visit

FILLING = ("rest_absent", "rest_undo", "copy_right")  # Section.fill, then kept as a draft


@needs(Permission.ENTER)
def visit_form(request: UserRequest, pk: int, form: str) -> HttpResponse:
    """Save one section: as draft (``action=draft``, unjudged) or complete."""
    found = visible_visit(request, pk, Permission.ENTER)
    sections = sections_of(found)
    section = next((one for one in sections if one.kind.code == form), None)
    if section is None:
        raise Http404
    if request.method != "POST":
        return redirect("visit", pk)
    for one in sections:
        data = request.POST if one is section else None
        one.bind(request.user, data=data, last=last_records(found, one))
    action = request.POST.get("action", "")
    filled = section.fill(action, request.POST) if action in FILLING else ""
    draft = action == "draft" or action in FILLING
    try:
        status = _save(request, section, draft)
    except actions.StaleError as stale:
        section.error, status = str(stale), 409
    except RefusedError as refused:
        section.error, status = str(refused), 422
    if status != 200:
        return show_visit(request, found, sections, section, status)
    done = _("%(form)s: draft saved.") if draft else _("%(form)s: complete.")
    messages.success(request, f"{done % {'form': section.kind.label}} {filled}".strip())
    response = redirect("visit", pk)
    response["Location"] += f"#{section.anchor}"
    return response


@transaction.atomic
def _save(request: UserRequest, section: Section, draft: bool) -> int:
    """Save the columns in which something was typed, or all when in none. Returns a status."""
    columns = [column for column in section.columns if column.typed or column.record]
    columns = columns or section.columns
    if draft:
        for column in columns:
            actions.save_draft(
                by=request.user,
                entry=column.entry,
                raw=column.form.raw(),
                revision=_revision(request, column),
            )
        return 200
    for column in section.columns:
        if column not in columns:
            column.form.draft = True
    if not all([column.form.is_valid() for column in columns]):  # noqa: C419  judge them all
        return 422
    for column in columns:
        try:
            actions.save_form(
                by=request.user,
                entry=column.entry,
                values=column.form.values,
                absent=column.form.absent,
                confirmed=column.form.confirmed,
                revision=_revision(request, column),
                reason=request.POST.get("reason", ""),
            )
        except RefusedError as refused:
            if refused.item not in column.form.fields:
                raise
            column.form.add_error(refused.item, str(refused))
            transaction.set_rollback(True)
            return 422
    return 200


def _revision(request: UserRequest, column: Column) -> int:
    """The revision the page was made from; -1, which is always stale, when it is not a number."""
    typed = request.POST.get(f"revision-{column.entry.pk}", "")
    return int(typed) if typed.isascii() and typed.isdigit() else -1
