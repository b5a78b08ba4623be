"""SPSS's files (.sav), with labels, measures and user-missing values.

https://www.gnu.org/software/pspp/pspp-dev/html_node/System-File-Format.html
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np

from registry.core.dictionary import ABSENCE_CODES, Kind

from ..about.codebook import DescribedTable
from .finished import Finished, Reasons
from .variables import (
    Doubles,
    Limits,
    Variable,
    arrow,
    doubles,
    is_text,
    require_fit,
    texts,
    variables,
    why,
)

LABEL = 255
SYSTEM_MISSING = -sys.float_info.max  # SPSS's own; written so, no value need be looked at for it
FIRST_REASON = -999_999_999  # the reasons' numbers, so far out that no item has any of them
LIMITS = Limits(text=32_767, padded=True, largest=-FIRST_REASON - len(ABSENCE_CODES))
MADE_AT = slice(92, 109)  # the bytes of the header that hold the date and the time of its making


def write(finished: Finished, described: DescribedTable, path: Path) -> dict[str, str]:
    """Write a table; column → its name in the file. Raises :class:`UnfitError`."""
    import pandas as pd
    import pyreadstat

    table, rows = described.table, finished.read(described)
    reasons = finished.reasons(described, rows)
    held = variables(described, beside=False)
    columns: dict[str, Any] = {}
    for variable in held:
        found = arrow(rows, variable, reasons)
        require_fit(table, rows, variable.column, found, LIMITS)
        columns[variable.name] = (
            texts(found) if is_text(found) else _numbers(found, variable, reasons)
        )
    last = FIRST_REASON + len(ABSENCE_CODES) - 1
    pyreadstat.write_sav(
        pd.DataFrame(columns, copy=False),
        path,
        file_label=table.label,
        column_labels=[one.label(LABEL) for one in held],
        variable_value_labels={one.name: labels for one in held if (labels := _labels(one))},
        missing_ranges={
            one.name: [{"lo": FIRST_REASON, "hi": last}] for one in held if one.reasons
        },
        variable_measure={one.name: _measure(one) for one in held},
        row_compress=True,
    )
    made = finished.moment.astimezone(UTC).strftime("%d %b %y%H:%M:%S").encode()
    with path.open("r+b") as file:
        file.seek(MADE_AT.start)
        file.write(made)
    return {one.column.name: one.name for one in held}


def _numbers(values: Any, variable: Variable, reasons: Mapping[str, Reasons]) -> Doubles:
    found = doubles(values)
    instead: Any = SYSTEM_MISSING
    if variable.reasons:
        places = why(variable, reasons, len(found))
        instead = np.where(places, FIRST_REASON - 1 + places, SYSTEM_MISSING)
    return np.where(np.isnan(found), instead, found)


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
