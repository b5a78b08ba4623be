"""A form of a visit as a section of its page: a column for each place it applies to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from registry.access.models import User
from registry.core.dictionary import ABSENCE_CODES, Item, Kind, items_of
from registry.core.forms import Clock, ItemsForm, show_value
from registry.visits.crf import FORMS, Carried, Crf, FileItem, FormKind
from registry.visits.models import Attachment, FormEntry, Visit


@dataclass
class Column:
    """One place of a form on the page: a leg, an ulcer, or the whole participant."""

    entry: FormEntry
    form: ItemsForm
    record: Crf | None
    carried: tuple[tuple[str, str, Carried], ...] = ()  # label, value, where it is from
    files: tuple[tuple[FileItem, int], ...] = ()  # and how many there are
    may_verify: bool = False

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
    def proposed(self) -> Iterator[tuple[str, str]]:
        """Label and value of what the other records propose for items that nobody types."""
        for name, item in items_of(FORMS[self.entry.form].model).items():
            if item.derived and name in self.form.recorded:
                yield item.label, show_value(item, self.form.recorded[name])

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
        record = self.records.get(entry.pk)
        draft = data is None and entry.draft is not None
        proposals = {"examiner": user.name, "ceap_version": "2020"}
        if self.visit.attended_on:
            on = self.visit.attended_on.isoformat()
            proposals |= {"done_on": on, "assessed_on": on}
        previous = last.get(entry.pk)
        form = ItemsForm(
            self.kind.model.offered(self.items, entry),
            clock,
            data=MultiValueDict(entry.draft) if draft else data,
            record=record,
            draft=draft,
            last=previous,
            last_on=previous.done_on if previous else None,
            recorded=self.kind.model.recorded(self.visit, entry.limb),
            initial=self._units(previous)
            | {name: value for name, value in proposals.items() if name in self.items},
            copies=entry.limb == "left" and self.has_legs,
            prefix=prefix_of(entry),
        )
        if entry.locked:
            form.disable()
        carried = self.kind.model.carried(self.visit, entry.limb)
        every = self.kind.items()
        return Column(
            entry,
            form,
            record,
            carried=tuple(
                (every[name].label, show_value(every[name], value.value), value)
                for name, value in carried.items()
                if name not in self.items
            ),
            files=tuple(
                (item, self.file_counts[entry.pk, item.name]) for item in self.kind.model.file_items
            ),
        )

    @cached_property
    def file_counts(self) -> Counter[tuple[int, str]]:
        """(entry, file item) → how many files answer it."""
        if not self.kind.model.file_items:
            return Counter()
        there = Attachment.objects.filter(entry__in=self.entries)
        return Counter(there.values_list("entry", "item"))

    @property
    def has_legs(self) -> bool:
        """Whether the same form stands once for each leg."""
        return [(one.limb, one.occurrence) for one in self.entries] == [("right", ""), ("left", "")]

    def _units(self, previous: Crf | None) -> dict[str, str]:
        """The unit beside each number: as typed last for the participant, else at the site."""
        numbers = [name for name, item in self.items.items() if item.also]
        latest = previous or (self._latest_here if numbers else None)
        typed = {f"{name}__unit": getattr(latest, f"{name}_unit", None) for name in numbers}
        return {control: unit for control, unit in typed.items() if unit}

    @cached_property
    def _latest_here(self) -> Crf | None:
        return self.kind.model.objects.filter(site=self.visit.site_id).order_by("pk").last()

    def fill(self, action: str, post: Mapping[str, str]) -> str:
        """Do to the bound columns what ``action`` asks before they are saved as a draft.

        ``rest_absent`` gives the blanks of a column the absence code chosen for it, ``rest_undo``
        takes that back, ``copy_right`` answers the left leg's blanks as the right leg. Returns
        what was done, for a message.
        """
        if action == "copy_right" and self.has_legs:
            right, left = self.columns
            copied = left.form.copy_from(right.form)
            said = ngettext("%(count)s item copied.", "%(count)s items copied.", copied)
            return said % {"count": copied}
        filled = 0
        for column in self.columns:
            code = post.get(f"rest-{column.form.prefix}", "")
            if action == "rest_absent" and code in ABSENCE_CODES:
                filled += column.form.fill_rest(code)
            if action == "rest_undo":
                filled += column.form.undo_rest()
        return ngettext("%(count)s item", "%(count)s items", filled) % {"count": filled}

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


def prefix_of(entry: FormEntry) -> str:
    """What the names of an entry's controls begin with: form, leg and occurrence."""
    return "-".join(part for part in (entry.form, entry.limb, entry.occurrence) if part)


def sections_of(visit: Visit) -> list[Section]:
    entries: dict[str, list[FormEntry]] = {}
    for entry in visit.entries.order_by("-limb", "occurrence"):
        entry.visit = visit
        entries.setdefault(entry.form, []).append(entry)
    return [
        Section(visit, FORMS[asked.form], asked.sections, entries[asked.form])
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
