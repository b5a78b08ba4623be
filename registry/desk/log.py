"""A participant's log: its rows as sections, saved like those of a visit."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from registry.access.roles import Permission
from registry.access.views import UserRequest, fetch, needs
from registry.core.errors import RefusedError
from registry.participants.models import Participant
from registry.visits import actions
from registry.visits.crf import FORMS, FormKind, LogCrf
from registry.visits.models import FormEntry

from . import guard
from .reasons import REASONS
from .saving import completes, lock, save_section
from .section import Section, saved_at


def _visible(request: UserRequest, study_number: str, permission: Permission) -> Participant:
    participants = Participant.objects.with_consent().select_related("site", "screening")
    found: Participant = fetch(request, participants, permission, study_number=study_number.upper())
    return found


def _kind(form: str) -> FormKind:
    kind = FORMS.get(form)
    if kind is None or not issubclass(kind.model, LogCrf):
        raise Http404
    return kind


def _sections(participant: Participant, kind: FormKind) -> list[Section]:
    rows = actions.log_rows(participant, kind.code)
    for row in rows:
        row.participant = participant
    return [Section(kind, [row]) for row in rows]


@needs(Permission.VIEW)
def log(request: UserRequest, study_number: str, form: str) -> HttpResponse:
    """The log's rows; POST adds one."""
    kind = _kind(form)
    if request.method != "POST":
        found = _visible(request, study_number, Permission.VIEW)
        sections = _sections(found, kind)
        for section in sections:
            section.bind(request.user)
        return _show(request, found, kind, sections)
    found = _visible(request, study_number, Permission.ENTER)
    try:
        row = actions.add_row(by=request.user, participant=found, form=form)
    except RefusedError as refused:
        messages.error(request, str(refused))
        return _back(found, kind)
    return _back(found, kind, f"#form-{form}-{row.occurrence}")


@needs(Permission.ENTER)
def log_row(request: UserRequest, study_number: str, form: str, row: str) -> HttpResponse:
    """Save one row, as a section of a visit is saved."""
    kind = _kind(form)
    found = _visible(request, study_number, Permission.ENTER)
    if request.method != "POST":
        return redirect("log", found.study_number, form)
    row_entry = FormEntry.objects.filter(participant=found, visit=None, form=form, occurrence=row)
    lock(row_entry, found.pk if completes(request) else None)
    sections = _sections(found, kind)
    section = next((one for one in sections if one.entries[0].occurrence == row), None)
    if section is None:
        raise Http404

    def show(status: int, refused: str = "") -> HttpResponse:
        for one in sections:
            if one is not section or refused:
                one.bind(request.user)
        problems = [("", refused)] if refused else section.problems
        return _show(request, found, kind, sections, status, problems)

    return save_section(request, section, show, lambda: _back(found, kind, f"#{section.anchor}"))


@needs(Permission.ENTER)
@require_POST
def remove_log_row(request: UserRequest, study_number: str, form: str, row: str) -> HttpResponse:
    """Take a row out of the log, with a reason once it was completed."""
    kind = _kind(form)
    found = _visible(request, study_number, Permission.ENTER)
    entries = FormEntry.objects.filter(participant=found, visit=None, form=form, occurrence=row)
    entry = entries.first()
    if entry is None:
        raise Http404
    try:
        if refused := guard.misplaced(request, found):
            raise RefusedError(refused)
        actions.remove_row(by=request.user, entry=entry, reason=request.POST.get("reason", ""))
    except RefusedError as refused_by:
        sections = _sections(found, kind)
        for section in sections:
            section.bind(request.user)
        return _show(request, found, kind, sections, 422, [("", str(refused_by))])
    messages.success(request, _("%(form)s %(row)s is removed.") % {"form": kind.label, "row": row})
    return _back(found, kind)


def _back(participant: Participant, kind: FormKind, anchor: str = "") -> HttpResponse:
    response = redirect("log", participant.study_number, kind.code)
    response["Location"] += anchor
    return response


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
        "page_token": guard.page_token(request.user, participant),
        "saved_at": saved_at(sections),
        "reasons": REASONS,
    }
    return render(request, "desk/log.html", context, status=status)
