"""The formats that a researcher may ask for.

Some are written as the rows come; the others are made of the finished tables, which are Parquet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..about.codebook import DescribedTable
from ..writers import CsvWriter, ParquetWriter, Writer
from . import spss, stata, transport
from .cdisc import dataset_json, define, odm
from .finished import Finished

MOST_VALUES: Final = 50_000_000
"""Values of a table, rows by columns, that packages' formats take, for they hold it in memory: the
largest takes 2 GB as Stata, 1.2 GB as SPSS or SAS (measured at 48 million)."""


@dataclass(frozen=True)
class Format:
    """``folder`` holds the file of each table, its name ended by ``suffix``."""

    label: str
    folder: str
    suffix: str

    def name_of(self, table: str) -> str:
        """The name of a table's file."""
        return f"{self.folder}/{table}{self.suffix}"


@dataclass(frozen=True)
class Streamed(Format):
    """Written row by row, whatever their number."""

    writer: type[Writer]


@dataclass(frozen=True)
class Made(Format):
    """``write`` makes a table's file and says which names its columns have there, if not theirs.

    ``beside`` writes what goes with all of them into their folder. Tables of more than
    ``most_values`` are refused before a build begins to write.
    """

    write: Callable[[Finished, DescribedTable, Path], Mapping[str, str]]
    beside: Callable[[Finished, Path], None] | None = None
    most_values: int | None = None


@dataclass(frozen=True)
class Whole(Format):
    """``write`` makes the one file of all tables, and yields how many rows it has written."""

    write: Callable[[Finished, Path], Iterator[int]]

    def name_of(self, table: str = "") -> str:
        """The name of the file, whichever the table."""
        return f"{self.folder}/dataset{self.suffix}"


FORMATS: Final[Mapping[str, Format]] = {
    "csv": Streamed("CSV", "csv", ".csv.gz", CsvWriter),
    "parquet": Streamed("Parquet", "parquet", ".parquet", ParquetWriter),
    "stata": Made("Stata", "stata", ".dta", stata.write, most_values=MOST_VALUES),
    "spss": Made("SPSS", "spss", ".sav", spss.write, most_values=MOST_VALUES),
    "xpt": Made(
        "SAS transport", "xpt", ".xpt", transport.write, transport.write_formats, MOST_VALUES
    ),
    "odm": Whole("CDISC ODM", "odm", ".xml", odm.write),
    "dataset-json": Made(
        "CDISC Dataset-JSON", "dataset-json", ".json", dataset_json.write, define.write
    ),
}
USUAL: Final = ("csv", "parquet")
"""Which formats are meant where none is named."""


def streamed(chosen: Iterable[str]) -> dict[str, Streamed]:
    """Those of the ``chosen`` that are written as rows come."""
    return {code: one for code in chosen if isinstance(one := FORMATS[code], Streamed)}


def made(chosen: Iterable[str]) -> dict[str, Made]:
    """Those of the ``chosen`` that are made of the finished tables, one by one."""
    return {code: one for code in chosen if isinstance(one := FORMATS[code], Made)}


def whole(chosen: Iterable[str]) -> dict[str, Whole]:
    """Those of the ``chosen`` that are made of all finished tables at once."""
    return {code: one for code in chosen if isinstance(one := FORMATS[code], Whole)}
