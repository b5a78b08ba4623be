"""The codebook of a dataset: every column of its tables, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.core import codebook
from registry.core.dictionary import ABSENCE_CODES, Range
from registry.visits.crf import FORMS

from ..profiles import Column, Profile
from ..tables import Table
from .made import coarsened, how_made

CODEBOOK = "codebook.csv"
CODEBOOK_JSON = "codebook.json"
HEADER = (
    "table",
    "column",
    "label",
    "kind",
    "unit",
    "choices",
    "form",
    "item",
    "key",
    "section",
    "possible",
    "expected",
    "asked_when",
    "made",
)


@dataclass(frozen=True)
class Described:
    """A column with what the registry's codebook says of its item.

    ``possible`` and ``expected`` are given of values that leave as they were entered. ``absent``:
    where it is missing, the table of absence codes may say why. ``made`` is a sentence, '' where
    the value is as it was entered.
    """

    column: Column
    key: bool
    section: str
    possible: Range | None
    expected: Range | None
    absent: bool
    asked_when: str
    made: str


@dataclass(frozen=True)
class DescribedTable:
    """``joins`` are the tables of which each of its rows has at most one row, with their keys."""

    table: Table
    columns: tuple[Described, ...]
    joins: Mapping[str, tuple[str, ...]]


def describe(profile: Profile, tables: Sequence[Table]) -> list[DescribedTable]:
    """The tables of a dataset in its order, with all that is known of their columns."""
    entries = {(entry.form, entry.name): entry for entry in codebook.entries()}
    rows = csv.DictReader(io.StringIO(codebook.as_csv(), newline=""))
    asked = {(row["form"], row["item"]): row["asked_when"] for row in rows}

    def described(column: Column, key: bool) -> Described:
        at = (column.form, column.item)
        entry = entries.get(at)
        as_entered = (
            entry is not None and entry.kind == column.kind and not coarsened(profile, entry)
        )
        return Described(
            column,
            key,
            section=entry.item.section if entry else "",
            possible=entry.item.possible if entry and as_entered else None,
            expected=entry.item.expected if entry and as_entered else None,
            absent=column.form in FORMS
            and entry is not None
            and entry.item.absence
            and entry.item.typed,
            asked_when=asked.get(at, ""),
            made=how_made(profile, column, entry, key=key),
        )

    return [
        DescribedTable(
            table,
            tuple(described(column, column in table.keys) for column in table.columns),
            dict(_joins(table, tables)),
        )
        for table in tables
    ]


def _joins(table: Table, tables: Sequence[Table]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The tables of the same form, or of no form, whose keys are among those of ``table``.

    Of two with the same keys the later one joins the earlier.
    """
    keys = {key.name for key in table.keys}
    before = True
    for other in tables:
        if other == table:
            before = False
            continue
        shared = tuple(key.name for key in other.keys)
        fewer = keys > set(shared) or (before and keys == set(shared))
        if fewer and other.form in ("", table.form):
            yield other.name, shared


def as_csv(described: Sequence[DescribedTable]) -> str:
    """One row a column of the dataset, in its order (RFC 4180)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for one in described:
        writer.writerows(_row(one.table, about) for about in one.columns)
    return text.getvalue()


def _row(table: Table, about: Described) -> tuple[str, ...]:
    column = about.column
    return (
        table.name,
        column.name,
        column.label,
        column.kind,
        column.unit,
        codebook.in_one_cell(column.choices),
        column.form,
        column.item,
        "yes" if about.key else "no",
        about.section,
        range_text(about.possible),
        range_text(about.expected),
        about.asked_when,
        about.made,
    )


def range_text(ends: Range | None) -> str:
    """A range in words, '' for none."""
    return f"{ends[0]:g} to {ends[1]:.10g}" if ends else ""


def as_json(profile: Profile, described: Sequence[DescribedTable]) -> str:
    """The same, nested by table."""
    about = {
        "registry": "Saphena",
        "profile": profile.code,
        "absence_codes": _choices(ABSENCE_CODES),
        "tables": [
            {
                "table": one.table.name,
                "label": one.table.label,
                "keys": [key.name for key in one.table.keys],
                "joins": [{"table": name, "on": list(on)} for name, on in one.joins.items()],
                "columns": [_nested(column) for column in one.columns],
            }
            for one in described
        ],
    }
    return json.dumps(about, ensure_ascii=False, indent=1) + "\n"


def _nested(about: Described) -> dict[str, Any]:
    column = about.column
    return {
        "column": column.name,
        "label": column.label,
        "kind": column.kind,
        "unit": column.unit,
        "choices": _choices(column.choices),
        "form": column.form,
        "item": column.item,
        "key": about.key,
        "section": about.section,
        "possible": about.possible,
        "expected": about.expected,
        "asked_when": about.asked_when,
        "made": about.made,
    }


def _choices(choices: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"code": code, "label": label} for code, label in choices.items()]
