"""What stands beside an item of a visit: its open queries and its verification.

Notes are fetched in a constant number of SQL queries for a page. Their boxes and buttons belong to
one form of the page (``notes``), not to the section's: an answer to a query is no answer of the
visit, and none is lost when the other is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from registry.access.models import User
from registry.access.roles import Permission
from registry.access.views import UserRequest, fetch, needs
from registry.core.errors import RefusedError
from registry.quality.models import DataQuery, QueryMessage, Verification
from registry.quality.rules import Act
from registry.visits.attesting import verify
from registry.visits.crf import Crf
from registry.visits.models import FormEntry
from registry.visits.verified import answered

from .address import url_of
from .section import Section


@dataclass
class Talk:
    """An open query as it stands beside its item."""

    query: DataQuery
    last: QueryMessage | None
    may_answer: bool
    may_close: bool
    problem: str = ""
    text: str = ""


@dataclass
class Note:
    """Everything beside one item of one record."""

    entry: FormEntry
    label: str
    key: int
    item: str
    may_ask: bool
    may_verify: bool
    verification: Verification | None = None
    talks: list[Talk] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.talks or self.verification or self.may_ask or self.may_verify)


def attach(user: User, sections: Iterable[Section]) -> list[tuple[DataQuery, str]]:
    """Put the notes beside the items of every section.

    Returns the other open queries about the sections' records, each with its section's anchor.
    """
    columns = [
        (section, column) for section in sections for column in section.columns if column.record
    ]
    pairs = [(column.entry, column.record) for _section, column in columns if column.record]
    shown: set[int] = set()
    found = _notes(user, pairs, [list(column.form.items) for _section, column in columns])
    for (_section, column), notes in zip(columns, found, strict=True):
        column.form.notes = {name: note for name, note in notes.items() if note}
        column.may_verify = any(note.may_verify for note in notes.values())
        shown |= {talk.query.pk for note in notes.values() for talk in note.talks}
    anchors = {
        (column.record._meta.label_lower, column.record.pk): section.anchor
        for section, column in columns
        if column.record
    }
    open_ones = DataQuery.objects.for_user(user).unanswered()
    rest = open_ones.filter(participant_no__in={entry.participant_id for entry, _record in pairs})
    return [
        (query, anchors[query.label, query.key])
        for query in rest.exclude(pk__in=shown)
        if (query.label, query.key) in anchors
    ]


def _notes(
    user: User, pairs: list[tuple[FormEntry, Crf]], items: list[list[str]]
) -> list[dict[str, Note]]:
    """For each (entry, record), its items' notes. Two SQL queries, and one for the threads."""
    if not pairs:
        return []
    participant_no = pairs[0][0].participant_id
    talks: dict[tuple[str, int, str], list[Talk]] = {}
    open_ones = DataQuery.objects.for_user(user).unanswered().filter(participant_no=participant_no)
    for query in open_ones.order_by("pk").prefetch_related("messages__by"):
        said = [one for one in query.messages.all() if one.act != QueryMessage.Act.ASKED]
        talks.setdefault((query.label, query.key, query.item), []).append(
            Talk(
                query,
                said[-1] if said else None,
                may_answer=query.may(user, Act.ANSWER),
                may_close=query.may(user, Act.CLOSE),
            )
        )
    verified = {
        (one.label, one.key, one.item): one
        for one in Verification.objects.filter(participant_no=participant_no).select_related(
            "by", "fallen_by"
        )
    }
    return [
        {name: _note(user, entry, record, name, talks, verified) for name in names}
        for (entry, record), names in zip(pairs, items, strict=True)
    ]


def _note(
    user: User,
    entry: FormEntry,
    record: Crf,
    name: str,
    talks: dict[tuple[str, int, str], list[Talk]],
    verified: dict[tuple[str, int, str], Verification],
) -> Note:
    place = (record._meta.label_lower, record.pk, name)
    verification = verified.get(place)
    return Note(
        entry,
        *place,
        may_ask=user.may(Permission.RAISE_QUERY, entry.site_id),
        may_verify=entry.is_finished
        and user.may(Permission.VERIFY, entry.site_id)
        and not (verification and verification.holds)
        and bool(answered(record, [name])),
        verification=verification,
        talks=talks.get(place, []),
    )


def show_note(
    request: UserRequest,
    label: str,
    key: int,
    item: str,
    refused: RefusedError | None = None,
    pk: int = 0,
    text: str = "",
) -> HttpResponse:
    """One item's note alone, as htmx puts it in place; with ``refused``, why query ``pk`` was."""
    model: Any = apps.get_model(label)
    record = get_object_or_404(
        model.objects.visible_to(request.user).select_related("entry"), pk=key
    )
    note = _notes(request.user, [(record.entry, record)], [[item]])[0][item]
    for talk in note.talks:
        if refused and talk.query.pk == pk:
            talk.problem, talk.text = str(refused), text
    return render(request, "quality/_note.html", {"note": note})


@needs(Permission.VERIFY)
@require_POST
def verify_form(request: UserRequest, pk: int) -> HttpResponse:
    """Mark one item (``item``) or every answer of a form as verified against its source."""
    entries = FormEntry.objects.select_related("visit__participant")
    entry: FormEntry = fetch(request, entries, Permission.VERIFY, pk=pk)
    item = request.POST.get("item", "")
    wanted = [item] if item else []
    record = entry.record()
    try:
        verify(by=request.user, entry=entry, items=wanted)
    except RefusedError as refused:
        if not request.htmx:
            messages.error(request, str(refused))
    if request.htmx and item in entry.asked_items and record:
        return show_note(request, record._meta.label_lower, record.pk, item)
    return redirect(url_of(entry, item))
