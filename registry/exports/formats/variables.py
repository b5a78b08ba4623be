"""The variables of a table in a statistics package, and their values as its numbers and texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from registry.core.dictionary import ABSENCE_CODES, Kind
from registry.core.errors import RefusedError

from ..about.codebook import DescribedTable
from ..profiles import Column
from ..tables import Table
from .coding import label, numbers, unique
from .finished import Finished

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
"""Of each row the place of the reason in ABSENCE_CODES, from 1; 0 where none is known."""


class TruncatedError(RefusedError):
    """A file ends before its last row: the disk is full, of which pyreadstat says nothing."""

    def __init__(self, path: Path) -> None:
        super().__init__(_("%(file)s could not be written whole.") % {"file": path.name})


class UnfitError(RefusedError):
    """A format cannot hold a value of the table exactly."""


@dataclass(frozen=True)
class Limits:
    """What a format can hold: bytes of a text, and the largest and the smallest number.

    ``padded``: it fills texts up with spaces, so that those at a text's end are lost.
    """

    text: int
    padded: bool
    largest: float
    smallest: float = 0


@dataclass(frozen=True)
class Variable:
    """A column under the ``name`` that it has in a package.

    ``reasons``: its missing values say why. A ``companion`` says so for its item, which is a
    variable that cannot.
    """

    column: Column
    name: str
    reasons: bool = False
    companion: bool = False

    @property
    def labels(self) -> dict[int, str]:
        """Number → its label, of a column with choices."""
        of_codes = numbers(self.column.choices)
        return {of_codes[code]: text for code, text in self.column.choices.items()}

    def label(self, most: int) -> str:
        return label(self.column, most)


def variables(described: DescribedTable, *, beside: bool) -> list[Variable]:
    """The variables of a table: its columns, then companions.

    Numbers say themselves why they are missing, unless all reasons stand ``beside``.
    """
    itself = {
        about.column.name
        for about in described.columns
        if about.absent and about.column.kind != Kind.TEXT and not beside
    }
    companions = {
        about.column.item: _companion(about.column)
        for about in described.columns
        if about.absent and about.column.name not in itself
    }
    columns = [*described.table.columns, *companions.values()]
    names = unique(column.name for column in columns)
    return [
        Variable(
            column,
            names[column.name],
            reasons=column.name in itself,
            companion=column in companions.values(),
        )
        for column in columns
    ]


def _companion(column: Column) -> Column:
    return Column(
        f"{column.form}_{column.item}_absent",
        f"Why {column.item} is missing",
        Kind.CHOICE,
        column.sql,
        choices=dict(ABSENCE_CODES),
        form=column.form,
        item=column.item,
    )


def frame(
    finished: Finished,
    described: DescribedTable,
    held: Sequence[Variable],
    limits: Limits,
    of_numbers: Callable[[Variable, Any, Places], Any],
) -> Any:
    """A table as a frame of pandas, a column a variable, texts as Python's.

    ``of_numbers`` gives the column of a variable of numbers, from them (``pyarrow.Array``) and the
    reasons why some are missing. Raises :class:`UnfitError`.
    """
    import pandas as pd

    rows = finished.read(described)
    reasons = finished.reasons(described, rows)
    columns: dict[str, Any] = {}
    for variable in held:
        places = np.zeros(rows.num_rows, np.int64)
        if found := reasons.get(variable.column.item):
            places[found.rows] = found.places
        values = _values(variable, rows, places)
        _require_fit(described.table, rows, variable.column, values, limits)
        columns[variable.name] = (
            _texts(values) if _is_text(values) else of_numbers(variable, values, places)
        )
    return pd.DataFrame(columns, copy=False)


def row_type(table: Any) -> np.dtype[Any]:
    """A row of a frame, as formats whose rows have one width store it: texts by the longest."""

    def of(values: Any) -> str:
        if values.dtype == object:
            return f"S{max([1, *(len(word.encode()) for word in values.unique())])}"
        return "<" + values.dtype.str[1:]

    return np.dtype([(name, of(table[name])) for name in table.columns])


def doubles(values: Any) -> Doubles:
    """Numbers, NaN where there is none."""
    import pyarrow as pa

    return values.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _values(variable: Variable, rows: Any, places: Places) -> Any:
    """A variable's values (``pyarrow.Array``): numbers, or texts as a dictionary."""
    import pyarrow as pa

    if variable.companion:
        return pa.array(places, pa.int8(), mask=places == 0)
    column = rows[variable.column.name].combine_chunks()
    if variable.column.kind != Kind.CHOICE:
        return column
    of_codes = numbers(variable.column.choices)
    stand = pa.array([of_codes[code] for code in column.dictionary.to_pylist()], pa.int16())
    return stand.take(column.indices)


def _is_text(values: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_dictionary(values.type)


def _texts(values: Any) -> Any:
    """Texts (``pandas.Series``), '' where there is none, each held once."""
    import pandas as pd

    words = np.array([*values.dictionary.to_pylist(), ""], object)
    return pd.Series(words[values.indices.fill_null(len(words) - 1).to_numpy()], dtype=object)


def _require_fit(table: Table, rows: Any, column: Column, values: Any, limits: Limits) -> None:
    """Raise :class:`UnfitError`, which names the cell, where a value would not stay as it is."""
    if _is_text(values):
        fits = [
            len(word.encode()) <= limits.text and not (limits.padded and word.endswith(" "))
            for word in values.dictionary.to_pylist()
        ]
        if all(fits):
            return
        at = int(np.argmin(np.array([*fits, True])[values.indices.fill_null(len(fits)).to_numpy()]))
    else:
        size = np.abs(doubles(values))
        unfit = (size > limits.largest) | ((size < limits.smallest) & (size > 0))
        if not unfit.any():
            return
        at = int(np.argmax(unfit))
    raise unfit_cell(table, rows, column, at)


def require_finite(table: Table, batch: Any, start: int) -> None:
    """Raise :class:`UnfitError` for what is no number; ``batch`` begins with the row ``start``."""
    import pyarrow as pa
    from pyarrow import compute

    for column in table.columns:
        values = batch.column(column.name)
        if pa.types.is_floating(values.type):
            at = compute.index(compute.is_finite(values), value=False).as_py()
            if at >= 0:
                raise unfit_cell(table, batch, column, at, start)


def unfit_cell(table: Table, rows: Any, column: Column, at: int, start: int = 0) -> UnfitError:
    """The error that names a cell, ``at`` a place in ``rows``, the first of which is ``start``."""
    where = ", ".join(str(rows[key.name][at].as_py()) for key in table.keys)
    return UnfitError(
        _("%(table)s, row %(row)s (%(where)s): the format cannot hold the value of %(column)s.")
        % {"table": table.name, "row": start + at + 1, "where": where, "column": column.name}
    )
