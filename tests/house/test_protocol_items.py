"""The codebook against the protocol: ``protocol_items.csv``, drawn from it once and kept by hand.

An item that is missing, added or declared otherwise fails here with its name. What the registry
adds or reads into the protocol says so in the column ``remark``. Never generate that file.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from registry.core import codebook
from registry.core.dictionary import Kind

KEPT_BY_HAND = Path(__file__).with_name("protocol_items.csv")
WORKED_OUT = "worked out"  # over several records: in rules and datasets, and no item
# Of every form, or of the visit plan: no items of one form.
COMMON = {"done_on": ("date", "yes", "date"), "examiner": ("text", "", "group")}
BOOKKEEPING = {"absent"}
OF_THE_PLAN = "visit"


def protocol() -> list[dict[str, str]]:
    with KEPT_BY_HAND.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def numbers(ends: str) -> tuple[float, ...]:
    return tuple(float(end) for end in ends.split(" to ")) if ends else ()


def of_protocol(row: Mapping[str, str]) -> dict[str, object]:
    """A row as what the declaration must say; numbers compare as numbers."""
    factors = (pair.split("=") for pair in row["other_units"].split("|") if pair)
    return {
        "type": row["type"],
        "unit": row["unit"],
        "other_units": {unit: float(factor) for unit, factor in factors},
        "choices": [code for code in row["choices"].split("|") if code],
        "possible": numbers(row["possible"]),
        "expected": numbers(row["expected"]),
        "with": row["with"].split(),
        "required": row["required"],
        "asked_when": row["asked_when"],
        "privacy": row["privacy"],
        "derived": row["derived"] == "yes",
    }


def of_codebook(entry: codebook.Entry) -> dict[str, object]:
    item, row = entry.item, dict(zip(codebook.HEADER, codebook._row(entry), strict=True))
    names = {Kind.PARTIAL_DATE: "partial date", Kind.KEPT: "bookkeeping"}
    required = {"yes": "yes", "no": ""}
    return {
        "type": names.get(entry.kind, str(entry.kind)),
        "unit": item.unit,
        "other_units": dict(item.also),
        "choices": list(entry.choices),
        "possible": item.possible or (),
        "expected": item.expected or (),
        "with": [name for name in ("comparator", "limits") if getattr(item, name)],
        "required": required.get(row["required"], row["required"].removeprefix("when ")),
        "asked_when": row["asked_when"],
        "privacy": str(item.privacy),
        "derived": item.derived,
    }


def declared() -> dict[tuple[str, str], codebook.Entry]:
    return {
        (entry.form, entry.name): entry
        for entry in codebook.entries()
        if entry.form != OF_THE_PLAN
        and entry.name not in BOOKKEEPING | COMMON.keys()
        and not entry.item.companion_of
    }


def differences(
    wanted: list[dict[str, str]], found: Mapping[tuple[str, str], codebook.Entry]
) -> list[str]:
    """What the codebook ``found`` says otherwise than the protocol ``wanted``, a line each."""
    items = {(row["form"], row["item"]): row for row in wanted}
    problems = [f"{form}.{item} is not declared." for form, item in _items(items) - found.keys()]
    problems += [
        f"{form}.{item} is declared, but not in {KEPT_BY_HAND.name}."
        for form, item in found.keys() - _items(items)
    ]
    for place in _items(items) & found.keys():
        protocol_says, code_says = of_protocol(items[place]), of_codebook(found[place])
        problems += [
            f"{'.'.join(place)}: {about} is {code_says[about]!r}, the protocol says {said!r}."
            for about, said in protocol_says.items()
            if code_says[about] != said
        ]
    return sorted(problems)


def _items(rows: Mapping[tuple[str, str], Mapping[str, str]]) -> set[tuple[str, str]]:
    return {place for place, row in rows.items() if row["type"] != WORKED_OUT}


def test_the_codebook_is_the_protocols():
    assert differences(protocol(), declared()) == []


def test_each_form_says_when_and_by_whom_it_was_filled():
    forms = {entry.form for entry in codebook.entries() if entry.name == "absent"}
    assert len(forms) > 20
    of_form = {
        (entry.form, entry.name): of_codebook(entry)
        for entry in codebook.entries()
        if entry.name in COMMON
    }
    assert of_form.keys() == {(form, name) for form in forms for name in COMMON}
    for (_form, name), said in of_form.items():
        assert (said["type"], said["required"], said["privacy"]) == COMMON[name]


def test_each_item_is_listed_once():
    counted = Counter((row["form"], row["item"]) for row in protocol())
    assert [place for place, times in counted.items() if times > 1] == []


def test_a_missing_an_added_and_a_changed_item_are_named():
    rows, found = protocol(), declared()
    changed = {"unit": "mmol", "privacy": "withhold", "possible": "0 to 6", "choices": "low|high"}
    for about, value in changed.items():
        altered = [row | {about: value} if row["item"] == "phosphate" else row for row in rows]
        [problem] = differences(altered, found)
        assert problem.startswith(f"laboratory.phosphate: {about} is ")
    fewer = [row for row in rows if row["item"] != "phosphate"]
    assert differences(fewer, found) == [
        "laboratory.phosphate is declared, but not in protocol_items.csv."
    ]
    without = {place: entry for place, entry in found.items() if place[1] != "phosphate"}
    assert differences(rows, without) == ["laboratory.phosphate is not declared."]
