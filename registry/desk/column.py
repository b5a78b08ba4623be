"""One place of a form on the page: a leg, an ulcer, a row of a log, or the whole participant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from registry.core.derived import derived_of
from registry.core.dictionary import ABSENCE_CODES, Kind, items_of
from registry.core.forms import ItemsForm, show_value
from registry.visits.crf import FORMS, Carried, Crf, FileItem
from registry.visits.merge import Raw, item_of, plain
from registry.visits.models import FormEntry

PROPOSED = frozenset({"done_on", "examiner", "ceap_version", "assessed_on"})


@dataclass
class Column:
    """One place of a form on the page: a leg, an ulcer, or the whole participant.

    ``make`` makes its form from what was typed; from None as it would be with no draft: from the
    record, else with what the page proposes.
    """

    entry: FormEntry
    form: ItemsForm
    record: Crf | None
    make: Callable[[Any], ItemsForm]
    carried: tuple[tuple[str, str, Carried], ...] = ()  # label, value, where it is from
    files: tuple[tuple[FileItem, int], ...] = ()  # and how many there are
    may_verify: bool = False

    @property
    def place(self) -> str:
        """The leg or the ulcer's label; nothing for the whole participant and a row of a log."""
        return self.entry.place if self.entry.visit_id else ""

    @property
    def derived(self) -> Iterator[tuple[str, str]]:
        """Label and value of what is computed: from what is typed, else from the saved record.

        What only saving finds out from other records is not shown beside what is typed.
        """
        model = FORMS[self.entry.form].model
        items = items_of(model)
        values: Mapping[str, Any] = vars(self.record) if self.record else {}
        if self.form.is_bound:
            found = {name: v for name, v in self.form.recorded.items() if items[name].derived}
            values = derived_of(model, found | self.form.sound_values())
        for name, item in items.items():
            if item.derived and name in values:
                value = values[name]
                shown = str(value) if item.kind == Kind.SCORE else show_value(item, value)
                yield item.label, _("not computable") if value is None else shown

    @property
    def proposed(self) -> Iterator[tuple[str, str]]:
        """Label and value of what the other records propose for items that nobody types."""
        for name, item in items_of(FORMS[self.entry.form].model).items():
            if item.derived and name in self.form.recorded:
                yield item.label, show_value(item, self.form.recorded[name])

    @property
    def raw(self) -> Raw:
        """What the column's controls hold."""
        return plain(self.form.raw())

    @property
    def stored(self) -> Raw:
        """What they would hold if the page were opened now."""
        draft = self.entry.draft
        return plain(self.make(None if draft is None else MultiValueDict(draft)).raw())

    @property
    def without_draft(self) -> Raw:
        """What they would hold without a draft."""
        return plain(self.make(None).raw())

    @property
    def typed(self) -> bool:
        """Whether anything beyond the proposals was typed."""
        return any(control.rpartition("-")[2] not in PROPOSED for control in self.raw)

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
        return f"{self.place}: {label}" if self.place else label

    @property
    def blanks(self) -> int:
        """How many items are asked and hold neither a value nor an absence code."""
        values = self.read(self.raw)
        beside = ("__confirm", "__because")
        answered = {item_of(name) for name in values if not name.endswith(beside)}
        return sum(
            name not in answered and item.asked(values) for name, item in self.form.items.items()
        )
