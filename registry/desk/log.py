"""A participant's log: its rows as sections, saved like those of a visit."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.errors import RefusedError
from registry.participants.guard import check_page
from registry.participants.models import Participant
from registry.visits import actions
from registry.visits.crf import FORMS, FormKind, LogCrf
from registry.visits.models import FormEntry

from . import notes
from .address import url_of
from .participant import visible_participant
from .reasons import REASONS
from .saving import completes, save_section
from .section import Section, saved_at
from .shown import changed_since, hold


def _kind(form: str) -> FormKind:
    kind = FORMS.get(form)
    if kind is None or not issubclass(kind.model, LogCrf):
        raise Http404
    return kind


def _sections(participant: Participant, kind: FormKind) -> list[Section]:
    rows = actions.log_rows(participant, kind.code)
    sections = [Section(kind, [row]) for row in rows]
    records = {one.entry_id: one for one in kind.model.objects.filter(entry__in=rows)}
    for row, section in zip(rows, sections, strict=True):
        row.participant = section.participant = participant
        section.records = {row.pk: records[row.pk]} if row.pk in records else {}
    return sections


@needs(Permission.VIEW)
def log(request: UserRequest, study_number: str, form: str) -> HttpResponse:
    """The log's rows; POST adds one."""
    kind = _kind(form)
    if request.method != "POST":
        found = visible_participant(request, study_number)
        sections = _sections(found, kind)
        for section in sections:
            section.bind(request.user)
        return _show(request, found, kind, sections)
    found = visible_participant(request, study_number, Permission.ENTER)
    check_page(request, found)
    try:
        row = actions.add_row(by=request.user, participant=found, form=form)
    except RefusedError as refused:
        messages.error(request, str(refused))
        return redirect("log", found.study_number, form)
    return redirect(url_of(row))


@needs(Permission.ENTER)
def log_row(request: UserRequest, study_number: str, form: str, row: str) -> HttpResponse:
    """Save one row, as a section of a visit is saved."""
    kind = _kind(form)
    found = visible_participant(request, study_number, Permission.ENTER)
    if request.method != "POST":
        return redirect("log", found.study_number, form)
    entries = FormEntry.objects.filter(participant=found, visit=None, form=form, occurrence=row)
    hold(entries, found.pk if completes(request) else None)
    sections = _sections(found, kind)
    section = next((one for one in sections if one.entries[0].occurrence == row), None)
    if section is None:
        raise Http404

    def show(status: int) -> HttpResponse:
        for one in sections:
            if one is not section:
                one.bind(request.user)
        return _show(request, found, kind, sections, status, section.problems)

    return save_section(request, section, show, lambda: redirect(url_of(section.entries[0])))


@needs(Permission.ENTER)
@require_POST
def remove_log_row(request: UserRequest, study_number: str, form: str, row: str) -> HttpResponse:
    """Take a row out of the log, with a reason once it was completed."""
    kind = _kind(form)
    found = visible_participant(request, study_number, Permission.ENTER)
    entries = FormEntry.objects.filter(participant=found, visit=None, form=form, occurrence=row)
    hold(entries, found.pk)
    entry = entries.first()
    if entry is None:
        raise Http404
    check_page(request, found)
    problem, status = changed_since(request.POST, [entry]), 409
    if not problem:
        try:
            actions.remove_row(by=request.user, entry=entry, reason=request.POST.get("reason", ""))
        except RefusedError as refused:
            problem, status = str(refused), 422
    if problem:
        sections = _sections(found, kind)
        for section in sections:
            section.bind(request.user)
        return _show(request, found, kind, sections, status, [("", problem)])
    messages.success(request, _("%(form)s %(row)s is removed.") % {"form": kind.label, "row": row})
    return redirect("log", found.study_number, form)


def _show(
    request: UserRequest,
    participant: Participant,
    kind: FormKind,
    sections: list[Section],
    status: int = 200,
    problems: list[tuple[str, str]] | None = None,
) -> HttpResponse:
    context = {
        "participant": participant,
        "kind": kind,
        "sections": sections,
        "problems": problems or [],
        "may_enter": request.user.may(Permission.ENTER, participant.site_id),
        "queries": notes.attach(request.user, sections),
        "saved_at": saved_at(sections),
        "reasons": REASONS,
    }
    return render(request, "desk/log.html", context, status=status)
