"""The study in ODM: visits, the forms asked at them, and the items of their tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from registry.visits.crf import FORMS
from registry.visits.schedule import PLANS

from ...about.codebook import Described, DescribedTable
from ...tables import ABSENCES, Table
from ..finished import Finished
from . import metadata as m

OF_NO_VISIT: Final = "SE.participant"
VISITS: Final = {visit.code: visit for plan in PLANS.values() for visit in plan.visits}
KINDS: Final = list(VISITS)
CODE: Final = re.compile(r"(?P<kind>[A-Z0-9]+)(-(?P<number>[1-9][0-9]*))?")


class Event(NamedTuple):
    """Where a row stands: the place of its visit in the plan, and which of several of a kind."""

    place: int
    number: int

    @property
    def oid(self) -> str:
        return f"SE.{KINDS[self.place]}" if self.place >= 0 else OF_NO_VISIT


def event(table: Table, visit: str | None) -> Event | None:
    """The event of a visit's code, or of what has no visit; None for no code of a plan."""
    if visit is None:
        return Event(-1, 0) if of_no_visit(table) else None
    found = CODE.fullmatch(visit)
    planned = VISITS.get(found["kind"]) if found else None
    # Those of no arm are planned by events, any number of times.
    if not found or not planned or bool(found["number"]) == bool(planned.arms):
        return None
    return Event(KINDS.index(planned.code), int(found["number"] or 0))


def of_no_visit(table: Table) -> bool:
    """Whether rows may belong to no visit."""
    return table.name == ABSENCES or not of_visits(table)


def of_visits(table: Table) -> bool:
    return any(key.name == "visit" for key in table.keys)


def repeat_keys(table: Table) -> list[str]:
    """The keys that tell rows of a participant and visit apart."""
    return [key.name for key in table.keys if key.name not in ("participant", "visit")]


def form_oid(table: Table) -> str:
    return f"F.{table.form or table.name}"


def put_units(study: Element, finished: Finished) -> None:
    units = {about.column.unit for _table, about in m.columns(finished)} - {""}
    if units:
        basics = m.put(study, "BasicDefinitions", {})
    for unit in sorted(units):
        one = m.put(basics, "MeasurementUnit", {"OID": f"MU.{unit}", "Name": unit})
        m.say(one, "Symbol", unit)


def put_version(study: Element, finished: Finished, lists: Mapping[m.Codes, str]) -> None:
    """All that is known of the tables, by visit and form."""
    version = m.put_version(study, finished, {})
    made = m.methods(finished)
    _put_events(version, finished)
    _put_forms(version, finished)
    for described in finished.tables:
        repeats = "Yes" if repeat_keys(described.table) else "No"
        m.put_group(version, described, {"Repeating": repeats}, made)
    for described in finished.tables:
        _put_items(version, finished, described, lists)
    m.put_code_lists(version, lists, {})
    m.put_methods(version, made)


def _put_events(version: Element, finished: Finished) -> None:
    tables = [described.table for described in finished.tables]
    apart = list(dict.fromkeys(form_oid(table) for table in tables if of_no_visit(table)))
    visited = list(dict.fromkeys(form_oid(table) for table in tables if of_visits(table)))
    events = {OF_NO_VISIT: ("Participant", "No", "Common", apart)}
    for visit in VISITS.values():
        planned = ("No", "Scheduled") if visit.arms else ("Yes", "Unscheduled")
        events[f"SE.{visit.code}"] = (visit.label, *planned, visited)
    protocol = m.put(version, "Protocol", {})
    for number, oid in enumerate(events, 1):
        ref = {"StudyEventOID": oid, "OrderNumber": number, "Mandatory": "No"}
        m.put(protocol, "StudyEventRef", ref)
    for oid, (name, repeats, kind, forms) in events.items():
        about = {"OID": oid, "Name": name, "Repeating": repeats, "Type": kind}
        one = m.put(version, "StudyEventDef", about)
        for number, form in enumerate(forms, 1):
            m.put(one, "FormRef", {"FormOID": form, "OrderNumber": number, "Mandatory": "No"})


def _put_forms(version: Element, finished: Finished) -> None:
    forms: dict[str, list[Table]] = {}
    for described in finished.tables:
        forms.setdefault(form_oid(described.table), []).append(described.table)
    for oid, tables in forms.items():
        first = tables[0]
        name = FORMS[first.form].label if first.form else first.label
        one = m.put(version, "FormDef", {"OID": oid, "Name": name, "Repeating": "No"})
        for number, table in enumerate(tables, 1):
            ref = {"ItemGroupOID": m.group_oid(table), "OrderNumber": number, "Mandatory": "No"}
            m.put(one, "ItemGroupRef", ref)


def _put_items(
    version: Element, finished: Finished, described: DescribedTable, lists: Mapping[m.Codes, str]
) -> None:
    table = described.table
    held = finished.held[table.name]
    for about in described.columns:
        column, (kind, length, _digits) = about.column, held[about.column.name]
        how: dict[str, object] = {"DataType": kind} | ({"Length": length} if kind == "text" else {})
        item = m.put_item(version, table, column, how, column.label)
        if column.unit:
            m.put(item, "MeasurementUnitRef", {"MeasurementUnitOID": f"MU.{column.unit}"})
        _put_ranges(item, about)
        m.put_code_list_ref(item, column, lists)


def _put_ranges(item: Element, about: Described) -> None:
    for ends, firm in ((about.possible, "Hard"), (about.expected, "Soft")):
        for comparator, end in zip(("GE", "LE"), ends or (), strict=False):
            check = m.put(item, "RangeCheck", {"Comparator": comparator, "SoftHard": firm})
            m.put(check, "CheckValue", {}, f"{end:.10g}")
