"""Dataset-JSON 1.1: a table a file, a row a line.

https://www.cdisc.org/standards/data-exchange/dataset-json
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...about.codebook import DescribedTable
from ..coding import labelled
from ..finished import Finished
from ..variables import require_finite
from . import metadata as m
from .define import DEFINE

TYPES = {"integer": "integer", "double": "double", "text": "string"}


def write(finished: Finished, described: DescribedTable, path: Path) -> dict[str, str]:
    """Write a table, whose columns keep their names. Raises :class:`UnfitError`."""
    table = described.table
    head = json.dumps(_about(finished, described), ensure_ascii=False, indent=1)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(head.removesuffix("\n}") + ',\n "rows": [')
        start = 0
        for batch in finished.batches(table.name):
            require_finite(table, batch, start)
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                file.write(",\n" if start else "\n")
                file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
                start += 1
        file.write("\n]}\n")
    return {}


def _about(finished: Finished, described: DescribedTable) -> dict[str, Any]:
    table = described.table
    return {
        "datasetJSONCreationDateTime": m.moment(finished),
        "datasetJSONVersion": "1.1.0",
        "fileOID": f"{m.SYSTEM}.{m.moment(finished)}.{table.name}",
        "dbLastModifiedDateTime": m.moment(finished),
        "sourceSystem": {"name": m.SYSTEM, "version": finished.version},
        "studyOID": m.STUDY,
        "metaDataVersionOID": m.version_oid(finished),
        "metaDataRef": DEFINE,
        "itemGroupOID": m.group_oid(table),
        "records": finished.rows(table.name),
        "name": table.name,
        "label": table.label,
        "columns": list(_columns(finished, described)),
    }


def _columns(finished: Finished, described: DescribedTable) -> Iterator[dict[str, Any]]:
    table = described.table
    held = finished.held[table.name]
    for column in table.columns:
        kind, length, _digits = held[column.name]
        about: dict[str, Any] = {
            "itemOID": m.item_oid(table, column),
            "name": column.name,
            "label": labelled(column),
            "dataType": TYPES[kind],
        }
        if kind == "text":
            about["length"] = length
        if column in table.keys:
            about["keySequence"] = 1 + table.keys.index(column)
        yield about
