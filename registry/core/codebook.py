"""The codebook: one row an item of every declared record, read off the declarations.

``docs/codebook.csv`` is its committed copy (``manage.py codebook``); a house test fails when it
is stale. Datasets carry a codebook of their own columns (``exports/archive.py``).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils import translation

from .dictionary import Item, Kind, Range, declared_models, items_of

HEADER = (
    "form",
    "item",
    "export_name",
    "label",
    "kind",
    "unit",
    "other_units",
    "choices",
    "possible",
    "expected",
    "required",
    "asked_when",
    "privacy",
    "section",
    "since",
    "derived",
)

# What a classified column that is no item of a paper form holds; the first match counts.
_KINDS: tuple[tuple[type[models.Field[Any, Any]], Kind], ...] = (
    (models.DateField, Kind.DATE),
    (models.IntegerField, Kind.NUMBER),
    (models.BooleanField, Kind.YES_NO),
)


@dataclass(frozen=True)
class Entry:
    """One item of the codebook and the column that holds it."""

    form: str
    name: str
    item: Item
    column: models.Field[Any, Any]

    @property
    def export_name(self) -> str:
        """The item's name in a dataset: ``<form>_<item>``."""
        return f"{self.form}_{self.name}"

    @property
    def kind(self) -> Kind:
        """The item's kind; that of the column for keys and bookkeeping that have a label."""
        if self.item.kind != Kind.KEPT:
            return self.item.kind
        if self.column.choices:
            return Kind.CHOICE
        found = (kind for column, kind in _KINDS if isinstance(self.column, column))
        return next(found, Kind.KEPT)

    @property
    def choices(self) -> dict[str, str]:
        """Code → label, in order."""
        if self.item.choices:
            return {code: self.item.choice_label(code) for code, _ in self.item.choices}
        return {str(code): str(label) for code, label in self.column.flatchoices}


def entries_of(model: type[models.Model]) -> Iterator[Entry]:
    """The items of a declared record, in order; of the other columns those that have a label.

    A site taken over from the record's parent is said once, at the parent.
    """
    for name, item in items_of(model, kept=True).items():
        inherited = name == "site" and bool(getattr(model, "site_from", ""))
        if (item.kind != Kind.KEPT or item.text) and not inherited:
            code = model.declaration.code  # type: ignore[attr-defined]
            column = model._meta.get_field(name)
            assert isinstance(column, models.Field)
            yield Entry(code, name, item, column)


def entries() -> Iterator[Entry]:
    for model in declared_models():
        yield from entries_of(model)


def as_csv() -> str:
    """The whole codebook, in English, the same bytes on every machine."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    with translation.override("en"):
        writer.writerows(_row(entry) for entry in entries())
    return text.getvalue()


def version() -> str:
    """A fingerprint of the codebook, twelve characters."""
    return hashlib.sha256(as_csv().encode()).hexdigest()[:12]


def in_one_cell(choices: Mapping[str, str]) -> str:
    """Choices as ``code=label|code=label``."""
    return "|".join(f"{code}={label}" for code, label in choices.items())


def _row(entry: Entry) -> tuple[str, ...]:
    item = entry.item
    return (
        entry.form,
        entry.name,
        entry.export_name,
        item.label,
        entry.kind,
        item.unit,
        "|".join(f"{unit}={factor}" for unit, factor in item.also.items()),
        in_one_cell(entry.choices),
        _range(item.possible),
        _range(item.expected),
        f"when {_conditions(item.required_when)}" if item.required_when else _yes(item.required),
        _conditions(item.when),
        item.privacy,
        item.section,
        item.since,
        _yes(item.derived),
    )


def _range(ends: Range | None) -> str:
    return f"{ends[0]:g} to {ends[1]:.10g}" if ends else ""


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _conditions(conditions: Mapping[str, Any]) -> str:
    return " and ".join(_condition(name, wanted) for name, wanted in conditions.items())


def _condition(name: str, wanted: Any) -> str:
    if isinstance(wanted, tuple | list | set | frozenset):
        return f"{name} in {'|'.join(sorted(map(str, wanted)))}"
    if isinstance(wanted, bool):
        return f"{name} = {_yes(wanted)}"
    return f"{name} = {wanted}"
