"""Saving a section: as a draft while one types, or complete.

Nothing is overwritten unseen: what is sent is merged item by item into what is stored, under a
lock of the section's entries. An answer changed by two people is kept as stored until one is
chosen; the status is then 409.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, by_script, needs
from registry.core.errors import RefusedError
from registry.participants.guard import check_page
from registry.visits import actions
from registry.visits.crf import Crf
from registry.visits.merge import answers

from .column import Column
from .compare import Comparison, base_after, compare, tell
from .reasons import Change, reason_of
from .section import Section, last_records, sections_of
from .shown import hold
from .visit import show_visit, visible_visit

FILLING = ("rest_absent", "rest_undo", "copy_right")  # Section.fill, then kept as a draft


@needs(Permission.ENTER)
def visit_form(request: UserRequest, pk: int, form: str) -> HttpResponse:
    """Save one section of a visit; ``action`` is draft, complete or discard."""
    found = visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    hold(found.entries.filter(form=form), found.participant_id if completes(request) else None)
    sections = sections_of(found)
    section = next((one for one in sections if one.kind.code == form), None)
    if section is None:
        raise Http404

    def show(status: int) -> HttpResponse:
        for one in sections:
            if one is not section:
                one.bind(request.user, last=last_records(found, one))
        return show_visit(request, found, sections, status=status, problems=section.problems)

    def done() -> HttpResponse:
        response = redirect("visit", pk)
        response["Location"] += f"#{_next(sections, section, request).anchor}"
        return response

    last = {} if by_script(request) else last_records(found, section)
    return save_section(request, section, show, done, last)


def completes(request: UserRequest) -> bool:
    return request.POST.get("action") == "complete"


def save_section(
    request: UserRequest,
    section: Section,
    show: Callable[[int], HttpResponse],
    done: Callable[[], HttpResponse],
    last: dict[int, Crf] | None = None,
) -> HttpResponse:
    """Save what was posted for a section whose entries are locked.

    The script gets JSON; a page goes on to ``done``, or is shown again with ``show(status)``.
    """
    check_page(request, section.participant)
    action = request.POST.get("action", "draft")
    section.bind(request.user, data=request.POST, last=last)
    filled = section.fill(action, request.POST) if action in FILLING else ""
    compared = compare(section, request.POST)
    tell(section, compared)
    for one in compared:
        one.column.form = one.column.make(MultiValueDict(one.shown))
    try:
        status = _act(request, section, compared, action)
    except RefusedError as refused:
        section.error, status = str(refused), 422
    for entry in section.entries:
        entry.refresh_from_db(fields=["state", "draft", "draft_by", "draft_at", "revision"])
    written = action not in ("complete", "discard") and status != 422
    if by_script(request):
        section.base = base_after(compared, written=written, shown=False)
        return _acknowledge(request, section, compared, status)
    if status == 200:
        words = {"complete": _("%(form)s: complete."), "discard": _("%(form)s: draft discarded.")}
        said = words.get(action, _("%(form)s: draft saved.")) % {"form": section.title}
        messages.success(request, f"{said} {filled}".strip())
        return done()
    section.base = base_after(compared, written=written, shown=True)
    return show(status)


@transaction.atomic
def _act(request: UserRequest, section: Section, compared: list[Comparison], action: str) -> int:
    match action:
        case "complete":
            return _complete(request, section, compared)
        case "discard":
            return _discard(request, section, compared)
        case _:
            return _keep_draft(request, section, compared)


def _keep_draft(request: UserRequest, section: Section, compared: list[Comparison]) -> int:
    """Keep the merge as draft where it is not what is stored. Sent again, it writes nothing."""
    for column, one in zip(section.columns, compared, strict=True):
        column.form.draft = True
        held = one.merged.raw
        if held == one.stored:
            continue
        if held != one.settled:
            actions.save_draft(
                by=request.user, entry=column.entry, raw=held, revision=column.entry.revision
            )
        elif column.entry.draft is not None:
            _drop(request, column)
    if section.both:
        section.error = _("Somebody else changed what you changed. Choose which answer stays.")
        return 409
    return 200


def _drop(request: UserRequest, column: Column) -> None:
    actions.discard_draft(by=request.user, entry=column.entry, revision=column.entry.revision)


def _discard(request: UserRequest, section: Section, compared: list[Comparison]) -> int:
    """Discard the drafts, unless they hold what this page has not shown."""
    if section.both or section.theirs:
        section.error = _("Somebody else went on with this draft. Look at it before discarding it.")
        return 409
    for column in section.columns:
        if column.entry.draft is not None:
            _drop(request, column)
    return 200


def _complete(request: UserRequest, section: Section, compared: list[Comparison]) -> int:
    """Complete the columns in which something was typed, or all when in none."""
    if section.both:
        section.error = _("Somebody else changed what you changed. Choose which answer stays.")
        return 409
    columns = [column for column in section.columns if column.typed or column.record]
    columns = columns or section.columns
    for column in section.columns:
        if column not in columns:
            column.form.draft = True
    valid = all([column.form.is_valid() for column in columns])  # noqa: C419  judge them all
    section.changes = changes(compared, request.POST)
    reason = reason_of(request.POST, section.changes)
    if section.changes and valid and reason:
        section.changes = []
    if not valid or section.changes:
        return 422
    for column, one in zip(section.columns, compared, strict=True):
        if column not in columns:
            continue
        if column.record and not one.changed:
            if column.entry.draft is not None:
                _drop(request, column)
            continue
        if not write(request, column, reason):
            transaction.set_rollback(True)
            return 422
    return 200


def changes(compared: list[Comparison], post: QueryDict) -> list[Change]:
    """What would change in completed records, with what was said of each change."""
    found = []
    for one in compared:
        if one.column.record is None:
            continue
        old, new = answers(one.settled), answers(one.merged.raw)
        for item in one.changed:
            was, becomes = (one.column.in_words(side.get(item, {})) for side in (old, new))
            if was != becomes:  # a warning that is confirmed changes nothing
                why = post.get(f"why-{item}", "").strip()
                found.append(Change(item, one.column.label_of(item), was, becomes, why))
    return found


def write(request: UserRequest, column: Column, reason: str = "") -> bool:
    """Complete a column that was judged; False when a check refused one of its items.

    Why an unusual value is right goes to the history too.
    """
    form = column.form
    right = [f"{form.items[name].label}: {because}" for name, because in form.because.items()]
    try:
        actions.save_form(
            by=request.user,
            entry=column.entry,
            values=form.values,
            absent=form.absent,
            confirmed=form.confirmed,
            revision=column.entry.revision,
            reason="; ".join([reason, *right] if reason else right),
        )
    except RefusedError as refused:
        if refused.item not in form.fields:
            raise
        form.add_error(refused.item, str(refused))
        return False
    return True


def _acknowledge(
    request: UserRequest, section: Section, compared: list[Comparison], status: int
) -> HttpResponse:
    """What the script needs: when it was saved, the new base, what others changed."""
    chosen = [choice.partition(" ") for choice in request.POST.getlist("choice")]
    taken = {item for whose, _space, item in chosen if whose == "theirs"}
    show = {
        item: answers(one.stored).get(item, {})
        for one in compared
        for item in taken
        if item.startswith(f"{one.column.form.prefix}-")
    }
    return JsonResponse(
        {
            "at": f"{timezone.localtime():%H:%M}",
            "base": section.base,
            "show": show,
            "both": len(section.both),
            "message": section.error if status == 422 else "",
            "compare": render_to_string("desk/_compare.html", {"section": section}),
            "state": render_to_string("desk/_section_state.html", {"section": section}),
            "revisions": {entry.pk: entry.revision for entry in section.entries},
            "derived": {
                column.form.prefix: render_to_string("desk/_derived.html", {"column": column})
                for column in section.columns
            },
        },
        status=status,
    )


def _next(sections: list[Section], section: Section, request: UserRequest) -> Section:
    """Where to go on: after completing, the next section that is not finished."""
    if not completes(request):
        return section
    at = sections.index(section)
    ordered = [*sections[at + 1 :], *sections[:at]]
    return next((one for one in ordered if not one.finished), section)
