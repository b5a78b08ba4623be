"""A form of a visit as a section of its page: a column for each place it applies to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.core.dictionary import ABSENCE_CODES, Item, Kind
from registry.core.forms import Clock, ItemsForm, show_value
from registry.visits.actions import log_rows
from registry.visits.crf import FORMS, Crf, FormKind, LogCrf
from registry.visits.merge import Raw, item_of, plain
from registry.visits.models import FormEntry, Visit

PROPOSED = frozenset({"done_on", "examiner", "ceap_version", "assessed_on"})


@dataclass
class Column:
    """One place of a form on the page: a leg, an ulcer, or the whole participant.

    ``without_draft`` makes the form as it would be with no draft: from the record, else with
    what the page proposes.
    """

    entry: FormEntry
    form: ItemsForm
    record: Crf | None
    without_draft: Callable[[], ItemsForm]

    @property
    def derived(self) -> Iterator[tuple[str, str]]:
        """Label and value of what is computed from the saved record."""
        if self.record is None:
            return
        for column in self.record._meta.concrete_fields:
            item: Item | None = getattr(column, "item", None)
            if item and item.derived:
                value = getattr(self.record, column.name)
                plain_value = value if item.kind == Kind.SCORE else show_value(item, value)
                yield item.label, _("not computable") if value is None else str(plain_value)

    @property
    def raw(self) -> Raw:
        """What the column's controls hold."""
        return plain(self.form.raw())

    @property
    def typed(self) -> bool:
        """Whether anything beyond the proposals was typed."""
        return any(
            not control.endswith("__unit") and control.rpartition("-")[2] not in PROPOSED
            for control in self.raw
        )

    def read(self, raw: Raw) -> dict[str, Any]:
        """Control without prefix → the value read, or the text itself where it is unreadable."""
        values = {}
        for control, typed in raw.items():
            name = control.removeprefix(f"{self.form.prefix}-")
            field = self.form.fields.get(name)
            if field is None:
                continue
            data = MultiValueDict({control: typed})
            try:
                values[name] = field.clean(field.widget.value_from_datadict(data, {}, control))
            except ValidationError:
                values[name] = typed
        return values

    def same(self, one: Raw, other: Raw) -> bool:
        """Whether two answers mean the same, however they are spelled."""
        return one == other or self.read(one) == self.read(other)

    def in_words(self, answer: Raw) -> str:
        """An answer as a person reads it."""
        said = []
        values = self.read(answer)
        for name, value in values.items():
            item = self.form.items.get(name)
            if name.endswith("__absent"):
                said.append(_(ABSENCE_CODES.get(str(value), str(value))))
            elif item and (item.choices or item.kind in (Kind.YES_NO, Kind.DATE)):
                typed = answer[f"{self.form.prefix}-{name}"]
                said.append(", ".join(typed) if value == typed else show_value(item, value))
            elif item:
                unit = values.get(f"{name}__unit") or item.unit
                said.append(f"{answer[f'{self.form.prefix}-{name}'][0]} {unit}".strip())
        return " · ".join(word for word in said if word) or _("blank")

    def label_of(self, control: str) -> str:
        """An item's label, with the column's place."""
        label = self.form.items[control.removeprefix(f"{self.form.prefix}-")].label
        return f"{self.entry.place}: {label}" if self.entry.place else label

    @property
    def blanks(self) -> int:
        """How many items are asked and hold neither a value nor an absence code."""
        values = self.read(self.raw)
        answered = {item_of(name) for name in values if not name.endswith(("__unit", "__confirm"))}
        return sum(
            name not in answered and item.asked(values) for name, item in self.form.items.items()
        )


@dataclass(frozen=True)
class Difference:
    """An answer that somebody else changed since the page was made.

    ``yours`` is empty where only they changed it.
    """

    control: str
    label: str
    theirs: str
    by: str
    at: Any
    yours: str = ""


class Section:
    """One form of a visit, or one row of a log, with a column for each place it applies to."""

    def __init__(
        self, kind: FormKind, entries: list[FormEntry], sections: tuple[str, ...] = ()
    ) -> None:
        self.kind, self.entries = kind, entries
        self.participant, self.visit = entries[0].participant, entries[0].visit
        self.items = kind.items(sections)
        self.error = ""
        self.base: Raw | None = None  # what the page was made from, unless it is what is stored
        self.seen: Raw = {}  # the others' answers that the page offers for choice
        self.both: list[Difference] = []
        self.theirs: list[Difference] = []
        self.changes: list[tuple[str, str, str, str]] = []  # control, label, old, new

    def bind(
        self,
        user: User,
        data: Any = None,
        last: dict[int, Crf] | None = None,
        judge: bool = False,
    ) -> None:
        """Make the columns' forms: from ``data``, else from drafts, else from the records.

        A draft is shown as it is, or with ``judge`` judged like ``data``.
        """
        self.columns = [
            self._column(entry, user, data, last or {}, judge) for entry in self.entries
        ]

    def _column(
        self, entry: FormEntry, user: User, data: Any, last: dict[int, Crf], judge: bool
    ) -> Column:
        attended_on = self.visit.attended_on if self.visit else None
        site = self.participant.site
        clock = Clock(site.today, attended_on, site.date_order)
        prefix = "-".join(part for part in (self.kind.code, entry.limb, entry.occurrence) if part)
        record = self.records.get(entry.pk)
        proposals = {"examiner": user.name, "ceap_version": "2020"}
        if attended_on:
            proposals |= {
                "done_on": attended_on.isoformat(),
                "assessed_on": attended_on.isoformat(),
            }
        previous = last.get(entry.pk)
        recorded = self.kind.model.recorded(self.visit, entry.limb) if self.visit else {}

        def make(data: Any, draft: bool = False) -> ItemsForm:
            return ItemsForm(
                self.items,
                clock,
                data=data,
                record=record,
                draft=draft,
                last=previous,
                last_on=previous.done_on if previous else None,
                recorded=recorded,
                initial={name: value for name, value in proposals.items() if name in self.items},
                prefix=prefix,
            )

        if data is None and entry.draft is not None:
            form = make(MultiValueDict(entry.draft), draft=not judge)
        else:
            form = make(data)
        return Column(entry, form, record, lambda: make(None))

    @cached_property
    def records(self) -> dict[int, Crf]:
        return {
            record.entry_id: record
            for record in self.kind.model.objects.filter(entry__in=self.entries)
        }

    @property
    def log(self) -> bool:
        """Whether this is a row of a log."""
        return self.visit is None

    @property
    def title(self) -> str:
        return f"{self.kind.label} {self.entries[0].occurrence}" if self.log else self.kind.label

    @property
    def anchor(self) -> str:
        row = f"-{self.entries[0].occurrence}" if self.log else ""
        return f"form-{self.kind.code}{row}"

    @property
    def url(self) -> str:
        """Where the section is saved."""
        if self.visit:
            return reverse("visit_form", args=[self.visit.pk, self.kind.code])
        number, row = self.participant.study_number, self.entries[0].occurrence
        return reverse("log_row", args=[number, self.kind.code, row])

    @property
    def prefixes(self) -> str:
        """How the names of the columns' controls begin, for the script."""
        return " ".join(f"{column.form.prefix}-" for column in self.columns)

    @property
    def base_json(self) -> str:
        """What the page's answers are made from: control → values."""
        if self.base is not None:
            return json.dumps(self.base)
        return json.dumps({c: v for column in self.columns for c, v in column.raw.items()})

    @property
    def seen_json(self) -> str:
        return json.dumps(self.seen)

    @property
    def state(self) -> str:
        """The section's state: that of its least finished column; an open draft is unfinished."""
        if all(entry.locked for entry in self.entries):
            return "locked"
        states = {entry.state for entry in self.entries}
        drafts = any(entry.draft is not None for entry in self.entries)
        if drafts or states & {"draft"} or (states & {"empty"} and len(states) > 1):
            return "draft"
        return next(word for word in ("empty", "complete", "verified") if word in states)

    @property
    def finished(self) -> bool:
        return self.state not in ("empty", "draft")

    @cached_property
    def blanks(self) -> int:
        """How many answers are still blank; of a finished section none are owed."""
        return 0 if self.finished else sum(column.blanks for column in self.columns)

    @property
    def drafts(self) -> Iterator[FormEntry]:
        """The entries whose draft is shown, newest last saved first."""
        held = [entry for entry in self.entries if entry.draft is not None]
        yield from sorted(held, key=lambda entry: entry.draft_at, reverse=True)

    @property
    def amends(self) -> bool:
        """Whether a completed record stands behind the section."""
        return any(column.record for column in self.columns)

    @property
    def logs(self) -> Iterator[tuple[FormKind, list[FormEntry]]]:
        """The logs this form reviews, with their rows: its items are named after them."""
        for name in self.items:
            if name in FORMS and issubclass(FORMS[name].model, LogCrf):
                yield FORMS[name], log_rows(self.participant, name)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The errors of every column, with the side named."""
        found = [(self.anchor if self.both else "", self.error)] if self.error else []
        if self.changes:
            found.append((f"reason-{self.anchor}", _("Say why the answers change.")))
        for column in self.columns:
            side = column.entry.place if not self.log else ""
            for id_, message in column.form.problems:
                found.append((id_, f"{side}: {message}" if side else message))
        return found


def saved_at(sections: list[Section]) -> datetime | None:
    """When the newest draft among the sections was saved."""
    return max((entry.draft_at for one in sections for entry in one.drafts), default=None)


def sections_of(visit: Visit) -> list[Section]:
    entries: dict[str, list[FormEntry]] = {}
    for entry in visit.entries.select_related("draft_by").order_by("-limb", "occurrence"):
        entry.visit, entry.participant = visit, visit.participant
        entries.setdefault(entry.form, []).append(entry)
    return [
        Section(FORMS[asked.form], entries[asked.form], asked.sections)
        for asked in visit.asked
        if asked.form in entries
    ]


def last_records(visit: Visit, section: Section) -> dict[int, Crf]:
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
