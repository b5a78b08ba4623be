"""The visit's page: one page, its forms as sections, both legs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dictionary import Item, Kind, date, text
from registry.core.errors import RefusedError
from registry.core.forms import Clock, ItemsForm, show_value
from registry.quality.models import DataQuery
from registry.visits import actions
from registry.visits.crf import FORMS, Crf, FormKind
from registry.visits.models import FormEntry, Visit

VISIT_ON = {"visit_on": date("Date of the visit", required=True, absence=False).item}
MISSED = {"because": text("Why the visit was missed", required=True, absence=False).item}


@dataclass
class Column:
    """One place of a form on the page: a leg, an ulcer, or the whole participant."""

    entry: FormEntry
    form: ItemsForm
    record: Crf | None

    @property
    def derived(self) -> Iterator[tuple[str, str]]:
        """Label and value of what is computed from the saved record."""
        if self.record is None:
            return
        for column in self.record._meta.concrete_fields:
            item: Item | None = getattr(column, "item", None)
            if item and item.derived:
                value = getattr(self.record, column.name)
                plain = value if item.kind == Kind.SCORE else show_value(item, value)
                yield item.label, _("not computable") if value is None else str(plain)

    @property
    def typed(self) -> bool:
        """Whether anything beyond the proposals was typed."""
        proposals = {"done_on", "examiner", "ceap_version", "assessed_on"}
        return any(
            value
            for key, values in self.form.raw().items()
            for value in values
            if not key.endswith("__unit") and key.rpartition("-")[2] not in proposals
        )


class Section:
    """One form of a visit, with a column for each place it applies to."""

    def __init__(
        self, visit: Visit, kind: FormKind, sections: tuple[str, ...], entries: list[FormEntry]
    ) -> None:
        self.visit, self.kind, self.entries = visit, kind, entries
        self.items = kind.items(sections)
        self.error = ""

    def bind(self, user: User, data: Any = None, last: dict[int, Crf] | None = None) -> None:
        """Make the columns' forms: from ``data``, else from drafts, else from the records."""
        self.columns = [self._column(entry, user, data, last or {}) for entry in self.entries]

    def _column(self, entry: FormEntry, user: User, data: Any, last: dict[int, Crf]) -> Column:
        site = self.visit.participant.site
        clock = Clock(site.today, self.visit.attended_on, site.date_order)
        prefix = "-".join(part for part in (self.kind.code, entry.limb, entry.occurrence) if part)
        record = self.records.get(entry.pk)
        draft = data is None and entry.draft is not None
        proposals = {"examiner": user.name, "ceap_version": "2020"}
        if self.visit.attended_on:
            on = self.visit.attended_on.isoformat()
            proposals |= {"done_on": on, "assessed_on": on}
        previous = last.get(entry.pk)
        form = ItemsForm(
            self.items,
            clock,
            data=MultiValueDict(entry.draft) if draft else data,
            record=record,
            draft=draft,
            last=previous,
            last_on=previous.done_on if previous else None,
            recorded=self.kind.model.recorded(self.visit, entry.limb),
            initial={name: value for name, value in proposals.items() if name in self.items},
            prefix=prefix,
        )
        return Column(entry, form, record)

    @cached_property
    def records(self) -> dict[int, Crf]:
        return {
            record.entry_id: record
            for record in self.kind.model.objects.filter(entry__in=self.entries)
        }

    @property
    def anchor(self) -> str:
        return f"form-{self.kind.code}"

    @property
    def state(self) -> str:
        """The section's state: that of its least finished column."""
        if all(entry.locked for entry in self.entries):
            return "locked"
        states = {entry.state for entry in self.entries}
        if states & {"draft"} or (states & {"empty"} and len(states) > 1):
            return "draft"
        return next(word for word in ("empty", "complete", "verified") if word in states)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The errors of every column, with the side named."""
        found = [("", self.error)] if self.error else []
        for column in self.columns:
            side = column.entry.place
            for id_, message in column.form.problems:
                found.append((id_, f"{side}: {message}" if side else message))
        return found

    @property
    def amends(self) -> bool:
        """Whether a completed record would be changed."""
        return any(column.record for column in self.columns)

    @property
    def revisions(self) -> Iterator[tuple[str, int]]:
        for column in self.columns:
            yield f"revision-{column.entry.pk}", column.entry.revision


def _visible_visit(request: UserRequest, pk: int, permission: Permission) -> Visit:
    visits = Visit.objects.visible_to(request.user, permission)
    return get_object_or_404(visits.select_related("participant__site"), pk=pk)


def _sections(visit: Visit) -> list[Section]:
    entries: dict[str, list[FormEntry]] = {}
    for entry in visit.entries.order_by("-limb", "occurrence"):
        entry.visit = visit
        entries.setdefault(entry.form, []).append(entry)
    return [
        Section(visit, FORMS[asked.form], asked.sections, entries[asked.form])
        for asked in visit.asked
        if asked.form in entries
    ]


def _last(visit: Visit, section: Section) -> dict[int, Crf]:
    """Entry → the record of the same form, leg and occurrence at the latest earlier visit."""
    if not visit.attended_on:
        return {}
    earlier = (
        section.kind.model.objects.filter(
            entry__participant=visit.participant_id,
            entry__visit__attended_on__lt=visit.attended_on,
        )
        .select_related("entry")
        .order_by("entry__limb", "entry__occurrence", "-entry__visit__attended_on")
        .distinct("entry__limb", "entry__occurrence")
    )
    by_place = {(r.entry.limb, r.entry.occurrence): r for r in earlier}
    return {
        entry.pk: by_place[entry.limb, entry.occurrence]
        for entry in section.entries
        if (entry.limb, entry.occurrence) in by_place
    }


@needs(Permission.VIEW)
def visit(request: UserRequest, pk: int) -> HttpResponse:
    found = _visible_visit(request, pk, Permission.VIEW)
    sections = _sections(found)
    for section in sections:
        section.bind(request.user, last=_last(found, section))
    return _page(request, found, sections)


@needs(Permission.ENTER)
def visit_form(request: UserRequest, pk: int, form: str) -> HttpResponse:
    """Save one section: as draft (``action=draft``, unjudged) or complete."""
    found = _visible_visit(request, pk, Permission.ENTER)
    sections = _sections(found)
    section = next((one for one in sections if one.kind.code == form), None)
    if section is None:
        raise Http404
    if request.method != "POST":
        return redirect("visit", pk)
    for one in sections:
        data = request.POST if one is section else None
        one.bind(request.user, data=data, last=_last(found, one))
    draft = request.POST.get("action") == "draft"
    try:
        status = _save(request, section, draft)
    except actions.StaleError as stale:
        section.error, status = str(stale), 409
    except RefusedError as refused:
        section.error, status = str(refused), 422
    if status != 200:
        return _page(request, found, sections, section, status)
    done = _("%(form)s: draft saved.") if draft else _("%(form)s: complete.")
    messages.success(request, done % {"form": section.kind.label})
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


@needs(Permission.ENTER)
def attend(request: UserRequest, pk: int) -> HttpResponse:
    """Record the day on which the participant came."""
    found = _visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    form = _date_form(found, request.POST)
    if form.is_valid():
        try:
            actions.attend_visit(by=request.user, visit=found, on=form.values["visit_on"])
        except RefusedError as refused:
            form.add_error("visit_on", str(refused))
        else:
            return redirect("visit", pk)
    return _page(request, found, [], status=422, date_form=form)


@needs(Permission.ENTER)
def miss(request: UserRequest, pk: int) -> HttpResponse:
    """Record that the visit will not take place, and why."""
    found = _visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    form = _missed_form(found, request.POST)
    if form.is_valid():
        try:
            actions.miss_visit(by=request.user, visit=found, because=form.values["because"])
        except RefusedError as refused:
            form.add_error("because", str(refused))
        else:
            messages.success(request, _("The visit is recorded as missed."))
            return redirect("participant", found.participant.study_number)
    return _page(request, found, [], status=422, missed_form=form)


def _date_form(visit: Visit, data: Any = None) -> ItemsForm:
    site = visit.participant.site
    initial = {"visit_on": visit.attended_on.isoformat()} if visit.attended_on else {}
    return ItemsForm(VISIT_ON, Clock(site.today, order=site.date_order), data=data, initial=initial)


def _missed_form(visit: Visit, data: Any = None) -> ItemsForm:
    return ItemsForm(MISSED, Clock(visit.participant.site.today), data=data)


def _page(
    request: UserRequest,
    visit: Visit,
    sections: list[Section],
    wrong: Section | None = None,
    status: int = 200,
    date_form: ItemsForm | None = None,
    missed_form: ItemsForm | None = None,
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
        "problems": wrong.problems if wrong else problem_form.problems if problem_form else [],
        "queries": [
            (query, keys[query.label, query.key])
            for query in queries
            if (query.label, query.key) in keys
        ],
        "date_form": date_form or _date_form(visit),
        "missed_form": missed_form or _missed_form(visit),
        "may_enter": request.user.may(Permission.ENTER, visit.site_id),
        "asks_ulcers": any(asked.form == "ulcers" for asked in visit.asked),
    }
    return render(request, "desk/visit.html", context, status=status)
