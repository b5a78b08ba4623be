"""Stata's files (.dta, format 118: Stata 14 and later), with labels and its missing values.

https://www.stata.com/help.cgi?dta
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from registry.core.dictionary import ABSENCE_CODES

from ..about.codebook import DescribedTable
from .finished import Finished
from .variables import Limits, Places, Variable, doubles, frame, row_type, variables

LABEL = 80
VERSION = 118
LIMITS = Limits(text=2045, padded=False, largest=8.9884656743115e307)
# Above the numbers of each type stands its missing value, then those from .a on.
MISSING: Final[Mapping[str, int]] = {"i1": 101, "i2": 32_741, "i4": 2_147_483_621}
MISSING_DOUBLE, STEP = 0x7FE0_0000_0000_0000, 40  # its bits, and where .a and so on are counted

Missing = tuple[npt.NDArray[np.int64], Places]  # rows, and of each the reason


def write(finished: Finished, described: DescribedTable, path: Path) -> dict[str, str]:
    """Write a table; column → its name in the file. Raises :class:`UnfitError`."""
    import pyarrow as pa

    held = variables(described, beside=False)
    missing: dict[str, Missing] = {}

    def of_numbers(variable: Variable, values: Any, places: Places) -> Any:
        at = np.flatnonzero(values.is_null())
        missing[variable.name] = at, places[at]
        return _whole(values.fill_null(0)) if pa.types.is_integer(values.type) else doubles(values)

    table = frame(finished, described, held, LIMITS, of_numbers)
    table.to_stata(
        path,
        write_index=False,
        version=VERSION,
        byteorder="<",
        time_stamp=finished.moment.astimezone(UTC).replace(tzinfo=None),
        data_label=described.table.label[:LABEL],
        variable_labels={one.name: one.label(LABEL) for one in held},
        value_labels={one.name: labels for one in held if (labels := _labels(one))},
    )
    if len(table):
        _say_missing(path, table, missing)
    return {one.column.name: one.name for one in held}


def _whole(values: Any) -> Any:
    """Whole numbers in as few bytes as they come, or more where Stata's missing values begin."""
    found = values.to_numpy()
    for kind, wider in (("i1", "i2"), ("i2", "i4"), ("i4", "f8"), ("i8", "f8")):
        if found.dtype.str[1:] == kind:
            most = MISSING.get(kind, 0) - 1
            if not -np.iinfo(kind).max <= found.min(initial=0) <= found.max(initial=0) <= most:
                found = found.astype(wider)
    return found


def _labels(variable: Variable) -> dict[int, str]:
    """Number → label, the missing values' among them."""
    labels = variable.labels
    if variable.reasons:
        for place, text in enumerate(ABSENCE_CODES.values(), 1):
            labels[MISSING["i4"] + place] = text
    return labels


def _say_missing(path: Path, table: Any, missing: Mapping[str, Missing]) -> None:
    """Put Stata's missing values in their places: ``.``, or .a to .e where the reason is known.

    pandas writes no other than ``.``. Rows have one width, so values are found by counting.
    """
    row = row_type(table)
    with path.open("rb") as file:
        head = file.read(1024)
    parts = struct.unpack_from("<14q", head, head.index(b"<map>") + len(b"<map>"))
    first, after = parts[9] + len(b"<data>"), parts[10] - len(b"</data>")
    assert after - first == row.itemsize * len(table), "pandas wrote other types than it was given"
    records = np.memmap(path, row, "r+", first, (len(table),))
    for name, (rows, places) in missing.items():
        kind = row[name].str[1:]
        if kind in MISSING:
            records[name][rows] = MISSING[kind] + places
        else:
            records[name][rows] = (MISSING_DOUBLE + (places << STEP)).view(np.float64)
    records.flush()
