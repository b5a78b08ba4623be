"""SAS transport files, version 8 (.xpt), and a program with their formats.

Names and labels have the lengths of SAS 8. Transport files hold no labels of values: those stand
in ``formats.sas``. Why a value is missing stands in a variable of its own.

https://support.sas.com/content/dam/SAS/support/en/technical-papers/record-layout-of-a-sas-version-8-or-9-data-set-in-sas-transport-format.pdf
"""

from __future__ import annotations

import re
from datetime import UTC
from itertools import chain
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string

from ..about.codebook import DescribedTable
from .coding import NAME
from .finished import Finished
from .variables import Limits, TruncatedError, doubles, frame, row_type, variables

Labels = tuple[tuple[int, str], ...]

LABEL = 255
# IBM's doubles, as SAS transport files have them.
LIMITS = Limits(text=32_767, padded=True, largest=7.2e75, smallest=5.4e-79)
MADE_AT = re.compile(rb"[0-9]{2}[A-Z]{3}[0-9]{2}:[0-9]{2}:[0-9]{2}:[0-9]{2}")
RECORD = 80  # bytes
HEADERS = RECORD * 10  # of the records that may say when the file was made
MOST_HEADERS = 2**20  # of all that stands before the rows


def write(finished: Finished, described: DescribedTable, path: Path) -> dict[str, str]:
    """Write a table; column → its name in the file. Raises :class:`UnfitError`."""
    import pyreadstat

    held = variables(described, beside=True)
    table = frame(
        finished, described, held, LIMITS, lambda _variable, values, _why: doubles(values)
    )
    pyreadstat.write_xport(
        table,
        path,
        file_label=described.table.label,
        column_labels=[one.label(LABEL) for one in held],
        table_name=described.table.name,
        file_format_version=8,
    )
    made = finished.moment.astimezone(UTC).strftime("%d%b%y:%H:%M:%S").upper().encode()
    with path.open("r+b") as file:
        head = file.read(HEADERS)
        file.seek(0)
        file.write(MADE_AT.sub(made, head))
    if not _is_whole(path, table):
        raise TruncatedError(path)
    return {one.column.name: one.name for one in held}


def _is_whole(path: Path, table: Any) -> bool:
    """Whether the file has the size of its rows, which have one width, in records of 80 bytes."""
    with path.open("rb") as file:
        before, _mark, _rows = file.read(MOST_HEADERS).partition(b"HEADER RECORD*******OBSV8")
    rows = RECORD * (len(before) // RECORD + 1) + row_type(table).itemsize * len(table)
    return path.stat().st_size == -(-rows // RECORD) * RECORD


def write_formats(finished: Finished, folder: Path) -> None:
    """Write ``formats.sas``: the labels of all values, and which variables have them."""
    tables = {one.table.name: variables(one, beside=True) for one in finished.tables}
    names: dict[Labels, str] = {}
    for variable in chain(*tables.values()):
        if labels := tuple(variable.labels.items()):
            # Numbered, for two may be cut alike; a format's name must not end with a digit.
            names.setdefault(labels, f"{variable.name[: NAME - 5]}_{len(names) + 1}_")
    about = {
        "formats": [
            (name, [(number, text.replace("'", "''")) for number, text in labels])
            for labels, name in names.items()
        ],
        "tables": {
            table: [(one.name, names[tuple(one.labels.items())]) for one in held if one.labels]
            for table, held in tables.items()
        },
    }
    text = render_to_string("exports/dataset/formats.sas", about)
    (folder / "formats.sas").write_bytes(text.encode())
