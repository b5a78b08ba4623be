"""``load.do``: for Stata, what the codebook says has to be written out as commands.

Stata's limits: 32 characters for names, 80 for the labels of variables and data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from django.template.loader import render_to_string

from registry.core.dictionary import ABSENCE_CODES, Kind

from ..formats.coding import are_numbers, label, numbers, short
from ..profiles import NO_YES, Column
from .codebook import Described, DescribedTable

LABEL = 80
MISSING: Final = dict(zip(ABSENCE_CODES, (".a", ".b", ".c", ".d", ".e"), strict=True))

Choices = tuple[tuple[str, str], ...]


def do_file(described: Sequence[DescribedTable]) -> str:
    """The loader: a program a table that reads it, and one that gives it types and labels."""
    names = value_labels(described)
    programs = [line for one in described for line in _programs(one, names)]
    about = {
        "tables": [one.table.name for one in described],
        "programs": "\n".join(programs),
        "missing": [(code, MISSING[code], label) for code, label in ABSENCE_CODES.items()],
    }
    return render_to_string("exports/dataset/load.do", about)


def value_labels(described: Sequence[DescribedTable]) -> dict[Choices, str]:
    """Choices → the name of their value label, the same in every table that has them.

    Numbers have no choices, and a label of the reasons why they are missing.
    """
    names: dict[Choices, str] = {(): "absence", tuple(NO_YES.items()): "no_yes"}
    for one in described:
        for about in one.columns:
            names.setdefault(_choices(about.column), short(about.column.name))
    return names


def quoted(text: str) -> str:
    """A text as Stata's compound quotes hold it."""
    return f'`"{text}"\''


def _programs(described: DescribedTable, names: Mapping[Choices, str]) -> Iterator[str]:
    table = described.table
    yield f"\ncapture program drop read_{table.name}"
    yield f"program define read_{table.name}"
    yield f"    saphena_open {table.name}"
    for place, column in enumerate(table.columns, 1):
        yield f"    saphena_name {place} {short(column.name)} {column.name}"
    yield "    quietly drop in 1"
    yield "end"

    yield f"\ncapture program drop load_{table.name}"
    yield f"program define load_{table.name}"
    absent = [about for about in described.columns if about.absent and _numeric(about.column)]
    items = list(dict.fromkeys(about.column.item for about in absent))
    keys = " ".join(key.name for key in table.keys)
    if items:
        yield "    tempfile reasons"
        yield f'    local items "{" ".join(items)}"'
        yield f'    saphena_reasons "`reasons\'" {absent[0].column.form} "{keys}" "`items\'"'
    yield f"    read_{table.name}"
    if items:
        yield f'    saphena_beside "`reasons\'" "{keys}"'
    for choices in dict.fromkeys(_choices(a.column) for a in described.columns if _labelled(a)):
        yield from _value_label(names[choices], choices)
    for about in described.columns:
        yield from _variable(about, names)
        if about in absent:
            number = items.index(about.column.item) + 1
            yield f"    saphena_missing {short(about.column.name)} {number}"
    if items:
        yield "    capture drop _reason*"
    yield f"    label data {quoted(table.label[:LABEL])}"
    yield "end"


def _choices(column: Column) -> Choices:
    return tuple(column.choices.items())


def _numeric(column: Column) -> bool:
    return column.kind != Kind.TEXT


def _labelled(about: Described) -> bool:
    return bool(about.column.choices) or (about.absent and _numeric(about.column))


def _value_label(name: str, choices: Choices) -> Iterator[str]:
    """Codes that are numbers keep them; others are counted from 1, as ``saphena_code`` does."""
    values = numbers(dict(choices))
    pairs = (f"{values[code]} {quoted(text)}" for code, text in choices)
    yield " ///\n        ".join([f"    saphena_label {name}", *pairs])


def _variable(about: Described, names: Mapping[Choices, str]) -> Iterator[str]:
    column, name = about.column, short(about.column.name)
    if column.kind == Kind.CHOICE and not are_numbers(column.choices):
        yield f"    saphena_code {name} {' '.join(map(quoted, column.choices))}"
    elif _numeric(column):
        yield f"    saphena_number {name}"
    if _labelled(about):
        yield f"    label values {name} {names[_choices(column)]}"
    yield f"    label variable {name} {quoted(label(column, LABEL))}"
