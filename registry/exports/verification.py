"""Whether a downloaded dataset is whole: from its files alone, without database or network."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import IO, Protocol
from xml.parsers import expat

from django.utils.translation import gettext as _

from .about.codebook import CODEBOOK, CODEBOOK_JSON
from .archive import BLOCK, MANIFEST

CHUNK = 100_000  # rows read at once of a package's file
# What reading a damaged zip, gzip, text or table raises.
DAMAGED = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, csv.Error)
UNREADABLE = (KeyError, TypeError, *DAMAGED)  # and one that is whole, but not what it should be


Read = tuple[list[str], Counter[int]]  # a table's columns; its rows by how many values they have
Reader = Callable[[IO[bytes]], Read]
WholeReader = Callable[[IO[bytes]], dict[str, Read]]


class Files(Protocol):
    """The files of a dataset, packed or not."""

    def names(self) -> list[str]: ...

    def open(self, name: str) -> IO[bytes]: ...


class Packed:
    """A dataset as it was downloaded."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def names(self) -> list[str]:
        return self.archive.namelist()

    def open(self, name: str) -> IO[bytes]:
        return self.archive.open(name)


class Unpacked:
    """A dataset that was unpacked into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return [path.relative_to(self.folder).as_posix() for path in found]

    def open(self, name: str) -> IO[bytes]:
        return (self.folder / name).open("rb")


def problems(path: Path) -> Iterator[str]:
    """What is wrong with the dataset at ``path``, a zip or the folder it was unpacked into.

    Nothing, when every file is there and is the one that was delivered, and every table has the
    rows that the registry counted and the columns that the codebook describes. Raises nothing for
    damaged data.
    """
    if path.is_dir():
        yield from _problems(Unpacked(path))
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _problems(Packed(archive))
    except DAMAGED as error:
        yield _("It cannot be read as a zip: %(reason)s. Download it again.") % {"reason": error}


def _problems(files: Files) -> Iterator[str]:
    times = Counter(files.names())
    for name in sorted(name for name, number in times.items() if number > 1):
        yield _("%(file)s: it is there more than once.") % {"file": name}
    try:
        with files.open(MANIFEST) as file:
            manifest = json.load(file)
        digests: dict[str, str] = dict(manifest["sha256"])
        tables = [
            (
                one["table"],
                dict(one["files"]),
                one.get("names", {}),
                one["expected"],
                one["delivered"],
            )
            for one in manifest["tables"]
        ]
        readers = {one: READERS[one] for _table, held, *_about in tables for one in held}
        whole = [(name, WHOLE[one]) for one, name in dict(manifest.get("files", {})).items()]
    except UNREADABLE:
        yield _("%(file)s: it is missing or cannot be read.") % {"file": MANIFEST}
        return
    for name in sorted(times.keys() - digests.keys() - {MANIFEST}):
        yield _("%(file)s: the manifest does not name it.") % {"file": name}
    sound = set()
    for name, digest in digests.items():
        if name not in times:
            yield _("%(file)s: it is missing.") % {"file": name}
        elif _digest(files, name) != digest:
            yield _("%(file)s: it is not the file that was delivered (SHA-256).") % {"file": name}
        else:
            sound.add(name)
    if CODEBOOK not in sound:
        return
    with files.open(CODEBOOK) as file:
        described = list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))
    if CODEBOOK_JSON in sound:
        yield from _codebook_problems(files, described)
    for table, held, called, expected, delivered in tables:
        columns = [row["column"] for row in described if row["table"] == table]
        for one, name in held.items():
            if name in sound:
                names = called.get(one) or dict(zip(columns, columns, strict=True))
                if not set(columns) <= names.keys():
                    yield _("%(file)s: the manifest does not name all of its columns.") % {
                        "file": name
                    }
                header = list(names.values())
                yield from _file_problems(files, name, readers[one], header, expected)
            elif name not in digests:
                yield _("%(file)s: the manifest has no SHA-256 of it.") % {"file": name}
        if delivered != expected:
            yield _rows(table, delivered, expected)
    rows = {table: expected for table, *_about, expected, _delivered in tables}
    for name, read_whole in whole:
        if name in sound:
            yield from _whole_problems(files, name, read_whole, described, rows)
        elif name not in digests:
            yield _("%(file)s: the manifest has no SHA-256 of it.") % {"file": name}


def _codebook_problems(files: Files, described: list[dict[str, str]]) -> Iterator[str]:
    """Whether the codebook says as JSON what it says as CSV."""
    name = {"file": CODEBOOK_JSON}
    try:
        with files.open(CODEBOOK_JSON) as file:
            nested = [
                (table["table"], column["column"])
                for table in json.load(file)["tables"]
                for column in table["columns"]
            ]
    except UNREADABLE:
        yield _("%(file)s: it is missing or cannot be read.") % name
        return
    if nested != [(row["table"], row["column"]) for row in described]:
        yield _("%(file)s: its columns are not those of the codebook.") % name


def _digest(files: Files, name: str) -> str | None:
    """The file's SHA-256, or None where it cannot be read to its end."""
    digest = hashlib.sha256()
    try:
        with files.open(name) as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except DAMAGED:
        return None
    return digest.hexdigest()


def _file_problems(
    files: Files, file: str, read: Reader, columns: list[str], expected: int
) -> Iterator[str]:
    try:
        with files.open(file) as raw:
            header, widths = read(raw)
    except UNREADABLE as error:
        yield _unreadable(file, error)
        return
    yield from _table_problems(file, header, widths, columns, expected)


def _whole_problems(
    files: Files,
    file: str,
    read: WholeReader,
    described: list[dict[str, str]],
    rows: dict[str, int],
) -> Iterator[str]:
    try:
        with files.open(file) as raw:
            found = read(raw)
    except UNREADABLE as error:
        yield _unreadable(file, error)
        return
    for table, expected in rows.items():
        columns = [row["column"] for row in described if row["table"] == table]
        header, widths = found.get(table, ([], Counter()))
        yield from _table_problems(f"{file}, {table}", header, widths, columns, expected)


def _unreadable(file: str, error: Exception) -> str:
    return _("%(file)s: it cannot be read: %(reason)s.") % {"file": file, "reason": error}


def _table_problems(
    file: str, header: list[str], widths: Counter[int], columns: list[str], expected: int
) -> Iterator[str]:
    name = {"file": file}
    if header != columns:
        yield _("%(file)s: its columns are not those of the codebook.") % name
    if set(widths) - {len(header)}:
        yield _("%(file)s: some rows have more or fewer values than columns.") % name
    if widths.total() != expected:
        yield _rows(file, widths.total(), expected)


def _rows(name: str, found: int, expected: int) -> str:
    about = {"file": name, "found": found, "expected": expected}
    return _("%(file)s: %(found)s of %(expected)s rows.") % about


# -- a file's columns, and its rows by how many values they have --------------------------------


def _csv(file: IO[bytes]) -> Read:
    with gzip.open(file) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as text:
        rows = csv.reader(text, strict=True)
        return next(rows, []), Counter(map(len, rows))


def _parquet(file: IO[bytes]) -> Read:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with pa.PythonFile(file, mode="r") as raw, parquet.ParquetFile(raw) as read:
            header = read.schema_arrow.names
            rows = sum(batch.num_rows for batch in read.iter_batches())
    except pa.ArrowException as error:
        raise ValueError(error) from error
    return header, Counter({len(header): rows})


def _package(reader: str) -> Reader:
    """Of a statistics package, by pyreadstat, which opens files by their names alone."""

    def read(file: IO[bytes]) -> Read:
        import pyreadstat

        with tempfile.NamedTemporaryFile(prefix="saphena-check-") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            read_file = getattr(pyreadstat, reader)
            try:
                header = read_file(copy.name, metadataonly=True)[1].column_names
                chunks = pyreadstat.read_file_in_chunks(read_file, copy.name, chunksize=CHUNK)
                rows = sum(len(frame) for frame, _about in chunks)
            except pyreadstat.ReadstatError as error:
                raise ValueError(error) from error
        return header, Counter({len(header): rows})

    return read


def _dataset_json(file: IO[bytes]) -> Read:
    """As it is written: a row a line."""
    with io.TextIOWrapper(file, "utf-8", newline="\n") as text:
        head = "".join(takewhile(lambda line: line != ' "rows": [\n', text))
        header = [column["name"] for column in json.loads(head.rstrip(",\n") + "}")["columns"]]
        rows = (
            json.loads(line.rstrip(",\n")) for line in takewhile(lambda line: line != "]}\n", text)
        )
        return header, Counter(map(len, rows))


def _odm(file: IO[bytes]) -> dict[str, Read]:
    """Columns as they are defined; of a row the items that are missing are not there."""
    items: dict[str, str] = {}
    groups: dict[str, tuple[str, list[str]]] = {}
    rows: Counter[str] = Counter()

    def start(tag: str, about: dict[str, str]) -> None:
        if tag == "ItemGroupData":
            rows[about["ItemGroupOID"]] += 1
        elif tag == "ItemGroupDef":
            groups[about["OID"]] = about["Name"], []
        elif tag == "ItemRef":
            groups[next(reversed(groups))][1].append(about["ItemOID"])
        elif tag == "ItemDef":
            items[about["OID"]] = about["Name"]

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    try:
        parser.ParseFile(file)
    except expat.ExpatError as error:
        raise ValueError(error) from error
    return {
        name: ([items[one] for one in held], Counter({len(held): rows[oid]}))
        for oid, (name, held) in groups.items()
    }


READERS: dict[str, Reader] = {
    "csv": _csv,
    "parquet": _parquet,
    "stata": _package("read_dta"),
    "spss": _package("read_sav"),
    "xpt": _package("read_xport"),
    "dataset-json": _dataset_json,
}
WHOLE: dict[str, WholeReader] = {"odm": _odm}
