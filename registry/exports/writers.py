"""The files that a table leaves as, written side by side in one pass over its rows.

Rows come as PostgreSQL's COPY writes CSV. CSV is kept as it comes; Parquet is read from it with the
types that the view has. Every other format is made of a finished Parquet file.

The bytes depend on the rows alone, on any machine: blocks have a fixed number of rows, no file says
when it was made, and libdeflate packs alike on every processor (ISA-L and zlib-ng do not).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import deflate
from django.utils.translation import gettext as _

from registry.core.dictionary import Kind
from registry.core.errors import RefusedError

from .profiles import Column
from .tables import Table

LEVEL = 1  # of libdeflate: as small as zlib's 6 in a fifth of its time
AHEAD = 2  # blocks that may wait for a writer

Block = bytes | bytearray
Types = Mapping[str, int]  # column → the type of the view's column, as PostgreSQL numbers it


class UnknownValueError(RefusedError):
    """A row holds a code that the codebook does not describe."""


class Writer(Protocol):
    """One file of one table; ``rows`` is how many it holds."""

    rows: int

    def __init__(self, path: Path, table: Table, types: Types) -> None: ...

    def write(self, block: Block, rows: int) -> None:
        """Add a block of CSV that holds so many rows."""

    def close(self) -> None:
        """Finish the file; a second time it changes nothing."""


class CsvWriter:
    """RFC 4180 in UTF-8, packed by gzip, a member a block."""

    def __init__(self, path: Path, table: Table, types: Types) -> None:
        self.file = path.open("wb")
        self.rows = 0
        names = ",".join(column.name for column in table.columns)
        self.write(f"{names}\r\n".encode(), 0)

    def write(self, block: Block, rows: int) -> None:
        self.file.write(deflate.gzip_compress(block, LEVEL))
        self.rows += rows

    def close(self) -> None:
        self.file.close()


class ParquetWriter:
    """Typed columns; codes as a dictionary in the order of the codebook; labels as metadata.

    A block is a row group.
    """

    def __init__(self, path: Path, table: Table, types: Types) -> None:
        import pyarrow as pa  # here, for it takes memory that CSV alone does not need
        import pyarrow.compute
        from pyarrow import csv, parquet

        self.pa, self.csv, self.table = pa, csv, table
        self.codes = {
            column.name: pa.array(list(column.choices), pa.string())
            for column in table.columns
            if column.kind == Kind.CHOICE
        }
        plain = {column.name: _plain(pa, column, types[column.name]) for column in table.columns}
        coded = pa.dictionary(pa.int32(), pa.string())
        self.schema = pa.schema(
            [
                pa.field(
                    column.name,
                    coded if column.name in self.codes else plain[column.name],
                    metadata=_metadata(column),
                )
                for column in table.columns
            ],
            metadata={"table": table.name, "label": table.label},
        )
        self.parse = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        self.convert = csv.ConvertOptions(
            column_types=plain | dict.fromkeys(self.codes, coded),
            check_utf8=False,  # PostgreSQL did
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        self.out = parquet.ParquetWriter(
            path,
            self.schema,
            compression="zstd",
            compression_level=1,
            write_statistics=False,  # nobody skips row groups of a file this small
        )
        self.rows = 0

    def write(self, block: Block, rows: int) -> None:
        read = self.csv.ReadOptions(
            column_names=self.schema.names, use_threads=False, block_size=len(block) + 1
        )
        found = self.csv.read_csv(
            self.pa.BufferReader(block),
            read_options=read,
            parse_options=self.parse,
            convert_options=self.convert,
        )
        columns = [
            self._coded(name, column.combine_chunks()) if name in self.codes else column
            for name, column in zip(found.column_names, found.columns, strict=True)
        ]
        self.rows += found.num_rows
        self.out.write_table(self.pa.table(columns, schema=self.schema))

    def _coded(self, name: str, column: Any) -> Any:
        """The column with the codebook's dictionary. Raises :class:`UnknownValueError`."""
        codes = self.codes[name]
        places = self.pa.compute.index_in(column.dictionary, codes)
        if places.null_count:
            raise UnknownValueError(
                _("%(table)s.%(column)s: a value is not described by the codebook.")
                % {"table": self.table.name, "column": name}
            )
        return self.pa.DictionaryArray.from_arrays(places.take(column.indices), codes)

    def close(self) -> None:
        self.out.close()


def _plain(pa: Any, column: Column, oid: int) -> Any:
    """The Arrow type of a column that PostgreSQL says to be of the type ``oid``."""
    if column.kind == Kind.YES_NO:
        return pa.int8()
    kinds = {20: pa.int64(), 21: pa.int16(), 23: pa.int32(), 701: pa.float64(), 1700: pa.float64()}
    return kinds.get(oid, pa.string())


def _metadata(column: Column) -> dict[str, str]:
    """Label, unit and codes, as metadata of a column of Parquet."""
    choices = json.dumps(dict(column.choices), ensure_ascii=False) if column.choices else ""
    about = {"label": column.label, "unit": column.unit, "choices": choices}
    return {name: value for name, value in about.items() if value}


class Beside:
    """A writer at work in a thread of its own, a few blocks behind at most; to be stopped."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.thread = ThreadPoolExecutor(1)
        self.waiting: deque[Future[None]] = deque()

    def write(self, block: Block, rows: int) -> None:
        """Hand over a block. Raises what the writer raised on an earlier one."""
        while len(self.waiting) >= AHEAD:
            self.waiting.popleft().result()
        self.waiting.append(self.thread.submit(self.writer.write, block, rows))

    def finish(self) -> int:
        """Wait for the end of the file; how many rows it holds. Raises what the writer raised."""
        while self.waiting:
            self.waiting.popleft().result()
        self.writer.close()
        return self.writer.rows

    def stop(self) -> None:
        """End the thread and close the file, whole or not."""
        self.thread.shutdown(cancel_futures=True)
        with suppress(Exception):  # what went wrong before is what counts
            self.writer.close()
