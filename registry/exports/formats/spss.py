"""SPSS's files (.sav), with labels, measures and user-missing values.

https://www.gnu.org/software/pspp/pspp-dev/html_node/System-File-Format.html
"""

from __future__ import annotations

import sys
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np

from registry.core.dictionary import ABSENCE_CODES, Kind

from ..about.codebook import DescribedTable
from .finished import Finished
from .variables import Limits, Places, TruncatedError, Variable, doubles, frame, variables

LABEL = 255
WHOLE, DECIMAL = "F8.0", "F12.4"  # how numbers are shown
SYSTEM_MISSING = -sys.float_info.max  # SPSS's own; written so, no value need be looked at for it
FIRST_REASON = -999_999  # the reasons' numbers: further out than any item goes, and shown whole
LAST_REASON = FIRST_REASON + len(ABSENCE_CODES) - 1
LIMITS = Limits(text=32_767, padded=True, largest=-LAST_REASON - 1)
MADE_AT = 92  # where the header holds the date and the time of its making


def write(finished: Finished, described: DescribedTable, path: Path) -> dict[str, str]:
    """Write a table; column → its name in the file. Raises :class:`UnfitError`."""
    import pyarrow as pa
    import pyreadstat

    held = variables(described, beside=False)
    shown: dict[str, str] = {}

    def of_numbers(variable: Variable, values: Any, places: Places) -> Any:
        shown[variable.name] = WHOLE if pa.types.is_integer(values.type) else DECIMAL
        found = doubles(values)
        reason = (places > 0) & variable.reasons
        missing = np.where(reason, FIRST_REASON - 1 + places, SYSTEM_MISSING)
        return np.where(np.isnan(found), missing, found)

    table = frame(finished, described, held, LIMITS, of_numbers)
    pyreadstat.write_sav(
        table,
        path,
        file_label=described.table.label,
        column_labels=[one.label(LABEL) for one in held],
        variable_value_labels={one.name: labels for one in held if (labels := _labels(one))},
        missing_ranges={
            one.name: [{"lo": FIRST_REASON, "hi": LAST_REASON}] for one in held if one.reasons
        },
        variable_measure={one.name: _measure(one) for one in held},
        variable_format=shown,
        row_compress=True,
    )
    if not _is_whole(path, table):
        raise TruncatedError(path)
    with path.open("r+b") as file:
        file.seek(MADE_AT)
        file.write(finished.moment.astimezone(UTC).strftime("%d %b %y%H:%M:%S").encode())
    return {one.column.name: one.name for one in held}


def _is_whole(path: Path, table: Any) -> bool:
    """Whether the file holds all variables and the last row."""
    import pyreadstat

    last = max(len(table) - 1, 0)
    try:
        found, about = pyreadstat.read_sav(path, row_offset=last, row_limit=1)
    except pyreadstat.ReadstatError:
        return False
    return len(found) == min(len(table), 1) and about.column_names == list(table.columns)


def _labels(variable: Variable) -> dict[float, str]:
    """Number → label, the user-missing values' among them."""
    labels: dict[float, str] = {float(number): text for number, text in variable.labels.items()}
    if variable.reasons:
        for number, text in enumerate(ABSENCE_CODES.values(), FIRST_REASON):
            labels[float(number)] = text
    return labels


def _measure(variable: Variable) -> str:
    if variable.column.ordered:
        return "ordinal"
    return "scale" if variable.column.kind == Kind.NUMBER else "nominal"
