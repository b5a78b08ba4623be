"""What ODM, Define-XML and Dataset-JSON say alike of a dataset and its tables.

OIDs are made of names, and so the same in all of a dataset's files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from registry.core import codebook
from registry.core.dictionary import Kind
from registry.visits.schedule import CURRENT

from ...about.codebook import Described, DescribedTable
from ...profiles import Column
from ...tables import Table
from ..finished import Finished

SYSTEM: Final = "Saphena"
STUDY: Final = "ST.saphena"

Codes = tuple[str, bool, tuple[tuple[str, str], ...]]  # their type, whether in order, labels


def moment(finished: Finished) -> str:
    return finished.moment.astimezone(UTC).isoformat()


def version_oid(finished: Finished) -> str:
    """OID of the metadata: columns differ from one dataset to another."""
    return f"MDV.{moment(finished)}"


def group_oid(table: Table) -> str:
    return f"IG.{table.name}"


def item_oid(table: Table, column: Column) -> str:
    return f"IT.{table.name}.{column.name}"


# -- elements -----------------------------------------------------------------------------------


def put(parent: Element, tag: str, attributes: Mapping[str, object], text: str = "") -> Element:
    """A new element within ``parent``."""
    element = SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})
    element.text = text or None
    return element


def say(parent: Element, tag: str, text: str) -> None:
    """A new element within ``parent`` that holds a text in English."""
    put(put(parent, tag, {}), "TranslatedText", {"xml:lang": "en"}, text)


def root(finished: Finished, name: str, attributes: Mapping[str, str]) -> Element:
    """The root of ``name``, a file of a dataset."""
    about = {
        "xmlns": "http://www.cdisc.org/ns/odm/v1.3",
        "FileType": "Snapshot",
        "FileOID": f"{SYSTEM}.{moment(finished)}.{name}",
        "CreationDateTime": moment(finished),
        "AsOfDateTime": moment(finished),
        "ODMVersion": "1.3.2",
        "SourceSystem": SYSTEM,
        "SourceSystemVersion": finished.version,
    }
    return Element("ODM", {**about, **attributes})


def as_text(root: Element) -> str:
    """The file of ``root``."""
    indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, "unicode")}\n'


def put_study(parent: Element) -> Element:
    study = put(parent, "Study", {"OID": STUDY})
    about = put(study, "GlobalVariables", {})
    put(about, "StudyName", {}, SYSTEM)
    put(about, "StudyDescription", {}, "Registry for chronic venous insufficiency")
    put(about, "ProtocolName", {}, f"{SYSTEM}, protocol {CURRENT.version}")
    return study


def put_version(study: Element, finished: Finished, attributes: Mapping[str, str]) -> Element:
    about = {"OID": version_oid(finished), "Name": f"{SYSTEM}, codebook {codebook.version()}"}
    return put(study, "MetaDataVersion", {**about, **attributes})


def put_group(
    parent: Element,
    described: DescribedTable,
    attributes: Mapping[str, str],
    made: Mapping[str, str],
) -> Element:
    """The definition of a table: its columns in order, its keys among them."""
    table = described.table
    group = put(parent, "ItemGroupDef", {"OID": group_oid(table), "Name": table.name, **attributes})
    say(group, "Description", table.label)
    for number, about in enumerate(described.columns, 1):
        ref: dict[str, object] = {"ItemOID": item_oid(table, about.column)}
        ref |= {"OrderNumber": number, "Mandatory": "No"}
        if about.key:
            ref["KeySequence"] = 1 + table.keys.index(about.column)
        if about.made:
            ref["MethodOID"] = made[about.made]
        put(group, "ItemRef", ref)
    return group


def put_item(
    parent: Element, table: Table, column: Column, attributes: Mapping[str, object], label: str
) -> Element:
    """The definition of a column."""
    about = {"OID": item_oid(table, column), "Name": column.name}
    item = put(parent, "ItemDef", {**about, **attributes})
    say(item, "Description", label)
    return item


def columns(finished: Finished) -> Iterator[tuple[Table, Described]]:
    for described in finished.tables:
        for about in described.columns:
            yield described.table, about


# -- what several columns share: each once, under the OID of the first ----------------------------


def methods(finished: Finished) -> dict[str, str]:
    """How columns are made → OID."""
    found: dict[str, str] = {}
    for table, about in columns(finished):
        if about.made:
            found.setdefault(about.made, f"MT.{table.name}.{about.column.name}")
    return found


def put_methods(parent: Element, made: Mapping[str, str]) -> None:
    for text, oid in made.items():
        name = oid.rpartition(".")[2]
        method = put(parent, "MethodDef", {"OID": oid, "Name": name, "Type": "Computation"})
        say(method, "Description", text)


def codes(column: Column) -> Codes:
    kind = "text" if column.kind == Kind.CHOICE else "integer"
    return kind, column.ordered, tuple(column.choices.items())


def code_lists(finished: Finished) -> dict[Codes, str]:
    """The codes of columns that have some → OID."""
    found: dict[Codes, str] = {}
    for table, about in columns(finished):
        if about.column.choices:
            found.setdefault(codes(about.column), f"CL.{table.name}.{about.column.name}")
    return found


def put_code_lists(
    parent: Element, lists: Mapping[Codes, str], attributes: Mapping[str, str]
) -> None:
    for (kind, ordered, labels), oid in lists.items():
        about = {"OID": oid, "Name": oid.rpartition(".")[2], "DataType": kind}
        one = put(parent, "CodeList", {**about, **attributes})
        for number, (code, label) in enumerate(labels, 1):
            place = {"Rank" if ordered else "OrderNumber": number}
            say(put(one, "CodeListItem", {"CodedValue": code, **place}), "Decode", label)


def put_code_list_ref(item: Element, column: Column, lists: Mapping[Codes, str]) -> None:
    if column.choices:
        put(item, "CodeListRef", {"CodeListOID": lists[codes(column)]})
