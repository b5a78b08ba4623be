"""The finished tables of a dataset: Parquet, of which every further format is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from registry.core.dictionary import ABSENCE_CODES, Kind

from ..about.codebook import DescribedTable
from ..tables import ABSENCES

BATCH = 2048  # rows of a table that are read at once where it is not read whole
KEYS_OF_ABSENCES = {"ulcer": "occurrence"}  # what a table's key is called there, if not alike


class Held(NamedTuple):
    """A column's values: ``integer``, ``double`` or ``text``, and how long the longest are.

    ``length`` is in characters, ``digits`` are those after the point.
    """

    type: str
    length: int
    digits: int


@dataclass(frozen=True)
class Reasons:
    """Why an item is missing: rows of its table, in order, and of each the place in ABSENCE_CODES.

    Places count from 1.
    """

    rows: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Finished:
    """The ``tables`` in ``folder``, as Parquet.

    ``moment`` is the cut-off: a file that says when it was made says this. ``version`` is the
    code's, for files that say what made them.
    """

    folder: Path
    tables: Sequence[DescribedTable]
    moment: datetime
    version: str

    def path(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        from pyarrow import parquet

        return int(parquet.read_metadata(self.path(table)).num_rows)

    def batches(self, table: str) -> Iterator[Any]:
        """A table's rows in order, some at a time (``pyarrow.RecordBatch``)."""
        from pyarrow import parquet

        with parquet.ParquetFile(self.path(table)) as file:
            yield from file.iter_batches(BATCH)

    @cached_property
    def held(self) -> Mapping[str, Mapping[str, Held]]:
        """Table → column → what Parquet holds of it; looked at once for all formats that say so."""
        return {one.table.name: self._held(one.table.name) for one in self.tables}

    def _held(self, table: str) -> dict[str, Held]:
        import pyarrow as pa
        from pyarrow import compute, parquet

        def type_of(kind: Any) -> str:
            if pa.types.is_integer(kind):
                return "integer"
            return "double" if pa.types.is_floating(kind) else "text"

        schema = parquet.read_schema(self.path(table))
        found = {field.name: Held(type_of(field.type), 1, 0) for field in schema}
        for batch in self.batches(table):
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                text = values.cast(pa.string())
                size, point = compute.utf8_length(text), compute.find_substring(text, ".")
                after = compute.subtract(compute.subtract(size, point), 1)
                digits = compute.if_else(compute.less(point, 0), 0, after)
                longest, most = (compute.max(one).as_py() or 0 for one in (size, digits))
                kind, length, known = found[name]
                found[name] = Held(kind, max(length, longest), max(known, most))
        return found

    def read(self, described: DescribedTable) -> Any:
        """A table (``pyarrow.Table``), its texts as dictionaries, for they repeat."""
        from pyarrow import parquet

        texts = [one.name for one in described.table.columns if one.kind != Kind.CHOICE]
        path = self.path(described.table.name)
        return parquet.read_table(path, read_dictionary=texts).combine_chunks()

    def reasons(self, described: DescribedTable, rows: Any) -> Mapping[str, Reasons]:
        """Item → why it is missing in some of the table's ``rows``."""
        import pyarrow as pa
        from pyarrow import compute, parquet

        forms = {about.column.form for about in described.columns if about.absent}
        keys = [key.name for key in described.table.keys]
        if not forms:
            return {}
        found = parquet.read_table(
            self.path(ABSENCES), filters=compute.field("form").isin(sorted(forms))
        )

        def text(table: Any, name: str) -> Any:
            return compute.fill_null(table[name].cast(pa.string()), "")

        there = [KEYS_OF_ABSENCES.get(key, key) for key in keys]
        codes = {name: text(found, name) for name in (*there, "item", "code")}
        of_rows = {name: text(rows, key) for key, name in zip(keys, there, strict=True)}
        numbered = pa.table(of_rows | {"row": np.arange(rows.num_rows)})
        joined = numbered.join(pa.table(codes), there, join_type="inner").sort_by("row")
        items, numbers = joined["item"].to_numpy(), joined["row"].to_numpy()
        places = 1 + compute.index_in(joined["code"], pa.array(list(ABSENCE_CODES))).to_numpy()
        return {
            item: Reasons(numbers[items == item], places[items == item])
            for item in sorted(set(items))
        }
