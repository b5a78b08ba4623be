"""Define-XML 2.1: what the files of Dataset-JSON hold, and how it came about.

https://www.cdisc.org/standards/data-exchange/define-xml
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from ...about.codebook import Described, DescribedTable
from ...tables import Table
from ..coding import labelled
from ..finished import Finished
from . import metadata as m

DEFINE: Final = "define.xml"
NAMES: Final = {
    "xmlns:def": "http://www.cdisc.org/ns/def/v2.1",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
}
OWN: Final = {"def:IsNonStandard": "Yes"}  # the registry's tables and codes are of no standard


def write(finished: Finished, folder: Path) -> None:
    """Write ``define.xml``, which names the files of the tables in its folder."""
    made, lists = m.methods(finished), m.code_lists(finished)
    root = m.root(finished, DEFINE, NAMES | {"def:Context": "Other"})
    version = m.put_version(m.put_study(root), finished, {"def:DefineVersion": "2.1.0"})
    for described in finished.tables:
        _put_group(version, described, made)
    for described in finished.tables:
        table = described.table
        types, widths = m.data_types(finished, table), m.widths(finished, table)
        for about in described.columns:
            name = about.column.name
            item = _put_item(version, table, about, types[name], widths[name])
            m.put_code_list_ref(item, about.column, lists)
            _put_origin(item, about)
    m.put_code_lists(version, lists, OWN)
    m.put_methods(version, made)
    (folder / DEFINE).write_bytes(m.as_text(root).encode())


def _put_group(version: Element, described: DescribedTable, made: dict[str, str]) -> None:
    table = described.table
    keys = ", ".join(key.name for key in table.keys)
    about = {
        "Repeating": "Yes" if len(table.keys) > 1 else "No",
        "IsReferenceData": "No",
        "Purpose": "Tabulation",
        "def:Structure": f"One record per {keys}",
        "def:ArchiveLocationID": f"LF.{table.name}",
    }
    group = m.put_group(version, described, about | OWN, made)
    file = f"{table.name}.json"
    leaf = m.put(group, "def:leaf", {"ID": f"LF.{table.name}", "xlink:href": file})
    m.put(leaf, "def:title", {}, file)


def _put_item(
    version: Element, table: Table, about: Described, kind: str, width: tuple[int, int]
) -> Element:
    attributes: dict[str, object] = {
        "OID": m.item_oid(table, about.column),
        "Name": about.column.name,
        "DataType": "float" if kind == "double" else kind,
        "Length": width[0],
    }
    if kind == "double":
        attributes["SignificantDigits"] = width[1]
    item = m.put(version, "ItemDef", attributes)
    m.say(item, "Description", labelled(about.column))
    return item


def _put_origin(item: Element, about: Described) -> None:
    origin = ("Derived", "Sponsor") if about.made else ("Collected", "Investigator")
    m.put(item, "def:Origin", dict(zip(("Type", "Source"), origin, strict=True)))
