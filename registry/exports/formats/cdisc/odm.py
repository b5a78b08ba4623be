"""ODM-XML 1.3.2: a dataset in one file, participant by participant and visit by visit.

A row is an ItemGroupData. What is missing has no ItemData, unless the reason is known: then it is
null, and a flag says the code.

https://www.cdisc.org/standards/data-exchange/odm-xml
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from registry.core.dictionary import ABSENCE_CODES

from ...about.codebook import DescribedTable
from ...profiles import Column
from ...tables import ABSENCES, Table
from ..finished import Finished
from ..variables import require_finite, unfit_cell
from . import metadata as m
from .study import Event, event, form_oid, of_visits, put_units, put_version, repeat_keys

NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
IN_ATTRIBUTES: Final = {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
REASONS: Final = np.array([None, *ABSENCE_CODES], object)


class Row(NamedTuple):
    """A row of a table as ItemGroupData."""

    participant: str
    event: Event
    form: int  # its place among the forms
    xml: str


def write(finished: Finished, path: Path) -> Iterator[int]:
    """Write the tables; yields how many rows are written. Raises :class:`UnfitError`."""
    lists = m.code_lists(finished)
    root = m.root(finished, path.name, {"Granularity": "All"})
    study = m.put_study(root)
    put_units(study, finished)
    put_version(study, finished, lists)
    forms = list(dict.fromkeys(form_oid(one.table) for one in finished.tables))
    head = m.as_text(root).removesuffix("</ODM>\n")
    # All tables are sorted by participant.
    tables = [_rows(finished, one, forms, lists[_reasons(finished)]) for one in finished.tables]
    rows = merge(*tables, key=attrgetter("participant"))
    done = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(head)
        version = m.version_oid(finished)
        file.write(f'<ClinicalData StudyOID="{m.STUDY}" MetaDataVersionOID="{version}">\n')
        for participant, of_one in groupby(rows, attrgetter("participant")):
            found = sorted(of_one, key=attrgetter("event", "form"))
            file.writelines(_subject(participant, found, forms))
            done += len(found)
            yield done
        file.write("</ClinicalData>\n</ODM>\n")


def _reasons(finished: Finished) -> m.Codes:
    """The codes that say why a value is missing."""
    absences = next(one.table for one in finished.tables if one.table.name == ABSENCES)
    return m.codes(absences.items[0])


def _subject(participant: str, rows: Iterable[Row], forms: list[str]) -> Iterator[str]:
    yield f'<SubjectData SubjectKey="{_escaped(participant)}">\n'
    for at, of_event in groupby(rows, attrgetter("event")):
        repeat = f' StudyEventRepeatKey="{at.number}"' if at.number else ""
        yield f'<StudyEventData StudyEventOID="{at.oid}"{repeat}>\n'
        for form, of_form in groupby(of_event, attrgetter("form")):
            yield f'<FormData FormOID="{forms[form]}">\n'
            for row in of_form:
                yield row.xml
            yield "</FormData>\n"
        yield "</StudyEventData>\n"
    yield "</SubjectData>\n"


def _rows(
    finished: Finished, described: DescribedTable, forms: list[str], reasons: str
) -> Iterator[Row]:
    table, flags = described.table, _Flags(finished, described, reasons)
    form, start = forms.index(form_oid(table)), 0
    for batch in finished.batches(table.name):
        require_finite(table, batch, start)
        events = _events(table, batch, start)
        participants = batch.column("participant").to_pylist()
        groups = _groups(described, batch, start, flags)
        for participant, at, xml in zip(participants, events, groups, strict=True):
            yield Row(participant, at, form, xml)
        start += batch.num_rows


def _events(table: Table, batch: Any, start: int) -> list[Event]:
    """Where each row stands. Raises :class:`UnfitError` for a visit that is in no plan."""
    visits = batch.column("visit").to_pylist() if of_visits(table) else [None] * batch.num_rows
    known = {visit: event(table, visit) for visit in set(visits)}
    found = []
    for at, visit in enumerate(visits):
        one = known[visit]
        if one is None:
            column = next(key for key in table.keys if key.name == "visit")
            raise unfit_cell(table, batch, column, at, start)
        found.append(one)
    return found


def _groups(described: DescribedTable, batch: Any, start: int, flags: _Flags) -> list[str]:
    """Each row as ItemGroupData, made column by column. Raises :class:`UnfitError`."""
    from pyarrow import compute

    table = described.table
    texts = {column.name: _texts(table, batch, column, start) for column in table.columns}
    repeat = [compute.fill_null(texts[name], "-") for name in repeat_keys(table)]
    pieces: list[Any] = [f'<ItemGroupData ItemGroupOID="{m.group_oid(table)}"']
    if repeat:
        joined = compute.binary_join_element_wise(*repeat, "/")
        pieces += [' ItemGroupRepeatKey="', joined, '"']
    pieces.append(">")
    for about in described.columns:
        oid = m.item_oid(table, about.column)
        item = compute.binary_join_element_wise(
            f'<ItemData ItemOID="{oid}" Value="', texts[about.column.name], '"/>', ""
        )
        if about.absent:
            item = compute.coalesce(item, flags.items(about.column, start, batch.num_rows))
        pieces.append(item)
    groups = compute.binary_join_element_wise(
        *pieces, "</ItemGroupData>\n", "", null_handling="replace", null_replacement=""
    )
    found: list[str] = groups.to_pylist()
    return found


class _Flags:
    """The reasons for missing values in a table, as items that are null and flagged."""

    def __init__(self, finished: Finished, described: DescribedTable, code_list: str) -> None:
        from pyarrow import parquet

        self.table, self.code_list = described.table, code_list
        keys = [key.name for key in self.table.keys]
        rows = parquet.read_table(finished.path(self.table.name), columns=keys)
        self.reasons = finished.reasons(described, rows)

    def items(self, column: Column, start: int, rows: int) -> Any:
        """The ItemData of ``rows`` rows from ``start`` on, null where no reason is known."""
        import pyarrow as pa
        from pyarrow import compute

        codes = np.full(rows, None, object)
        if found := self.reasons.get(column.item):
            first, after = np.searchsorted(found.rows, [start, start + rows])
            codes[found.rows[first:after] - start] = REASONS[found.places[first:after]]
        return compute.binary_join_element_wise(
            f'<ItemData ItemOID="{m.item_oid(self.table, column)}" IsNull="Yes">'
            f'<Annotation SeqNum="1"><Flag><FlagValue CodeListOID="{self.code_list}">',
            pa.array(codes, pa.string()),
            "</FlagValue></Flag></Annotation></ItemData>",
            "",
        )


def _texts(table: Table, batch: Any, column: Column, start: int) -> Any:
    """A column's values as texts within an attribute. Raises :class:`UnfitError`."""
    import pyarrow as pa

    values = batch.column(column.name)
    if not pa.types.is_dictionary(values.type):
        if not pa.types.is_string(values.type):
            return values.cast(pa.string())
        values = values.dictionary_encode()
    words = values.dictionary.to_pylist()
    for place, word in enumerate(words):
        if NO_XML.search(word):
            at = values.indices.index(place).as_py()
            raise unfit_cell(table, batch, column, at, start)
    return pa.array(map(_escaped, words), pa.string()).take(values.indices)


def _escaped(text: str) -> str:
    return escape(text, IN_ATTRIBUTES)
