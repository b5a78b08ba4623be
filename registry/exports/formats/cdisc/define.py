"""Define-XML 2.1: what the files of Dataset-JSON hold, and how it came about.

https://www.cdisc.org/standards/data-exchange/define-xml
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from ...about.codebook import DescribedTable
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
        _put_items(version, finished, described, lists)
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


def _put_items(
    version: Element, finished: Finished, described: DescribedTable, lists: Mapping[m.Codes, str]
) -> None:
    table = described.table
    held = finished.held[table.name]
    for about in described.columns:
        column, (kind, length, digits) = about.column, held[about.column.name]
        how: dict[str, object] = {"DataType": kind, "Length": length}
        if kind == "double":
            how |= {"DataType": "float", "SignificantDigits": digits}
        item = m.put_item(version, table, column, how, labelled(column))
        m.put_code_list_ref(item, column, lists)
        origin = ("Derived", "Sponsor") if about.made else ("Collected", "Investigator")
        m.put(item, "def:Origin", dict(zip(("Type", "Source"), origin, strict=True)))
