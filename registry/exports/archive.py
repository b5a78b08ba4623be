"""The file of a dataset: every table streamed by COPY into its files, and what proves them.

The bytes depend on the rows alone: entries of the zip are stored with one fixed moment.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from select import select
from typing import Any

from django.utils.translation import gettext as _
from psycopg import Copy, errors, sql
from psycopg.pq import ExecStatus

from registry.core.errors import RefusedError

from .about.codebook import describe
from .about.texts import texts
from .formats import FORMATS, streamed, whole
from .formats.finished import Finished
from .making import make, passes, require_fit
from .profiles import Profile
from .tables import ABSENCES, Table
from .writers import Beside

FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)  # the oldest a zip can say
MANIFEST = "manifest.json"
BLOCK = 2**20  # bytes read at once
ROWS = 32_768  # rows handed to the writers at once


class IncompleteError(RefusedError):
    """Not every row that had to be delivered was."""


@dataclass(frozen=True)
class Delivery:
    """Tables of a profile in some formats, read over a release cursor into a folder.

    ``moment`` is the cut-off, ``aside`` a folder for what does not leave.
    """

    folder: Path
    aside: Path
    cursor: Any
    profile: Profile
    tables: Sequence[Table]
    formats: Sequence[str]
    moment: datetime

    def expected_rows(self) -> dict[str, int]:
        """Table → rows it must have, counted by the database without the pseudonyms."""
        self.cursor.execute(
            sql.SQL("SELECT name, coalesce(sum(rows), 0) FROM {} WHERE {} GROUP BY name").format(
                sql.Identifier(self.profile.schema, "expected"), self._of_forms()
            )
        )
        counted = dict(self.cursor.fetchall())
        return {table.name: int(counted.get(table.name, 0)) for table in self.tables}

    def write(
        self, expected: dict[str, int], about: dict[str, Any], said: Callable[[str, int], None]
    ) -> dict[str, Any]:
        """Write every file and return the manifest, which is the last of them.

        ``about`` goes into the manifest; ``said(stage, rows)`` is told of progress. Raises
        :class:`IncompleteError` when a table delivers another number of rows than expected.
        """
        require_fit(self.formats, self.tables, expected)
        done = 0
        files = {code: one.name_of() for code, one in whole(self.formats).items()}
        of_tables: list[dict[str, Any]] = []
        for table in self.tables:
            delivered = self._write_table(table, done, said)
            if delivered != expected[table.name]:
                raise _incomplete(table, delivered, expected[table.name])
            done += delivered
            of_table = {
                one: FORMATS[one].name_of(table.name) for one in self.formats if one not in files
            }
            of_tables.append(
                {
                    "table": table.name,
                    "files": of_table,
                    "expected": expected[table.name],
                    "delivered": delivered,
                }
            )
        finished = Finished(
            self._parquet / FORMATS["parquet"].folder,
            describe(self.profile, self.tables),
            self.moment,
            about["code_version"],
        )
        for code, called in make(
            finished, self.formats, self.folder, lambda stage, rows: said(stage, done + rows)
        ):
            for one in of_tables:
                if names_there := called[one["table"]]:
                    one.setdefault("names", {})[code] = names_there
        manifest = {**about, "tables": of_tables, "files": files}
        for name, text in texts(manifest, self.profile, finished.tables).items():
            self._write_text(name, text)
        manifest["sha256"] = {name: sha256(self.folder / name) for name in names(self.folder)}
        self._write_text(MANIFEST, json.dumps(manifest, indent=2) + "\n")
        return manifest

    @property
    def _parquet(self) -> Path:
        """Where Parquet is written: it may be wanted for the formats made of it alone."""
        return self.folder if "parquet" in self.formats else self.aside

    def _write_table(self, table: Table, done: int, said: Callable[[str, int], None]) -> int:
        view = sql.Identifier(self.profile.schema, table.name)
        self.cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(view))
        types = {column.name: column.type_code for column in self.cursor.description}
        rows = 0
        with ExitStack() as open_files:
            writers = []
            for code, one in streamed(
                {*self.formats, "parquet"} if passes(self.formats) > 1 else self.formats
            ).items():
                folder = self._parquet if code == "parquet" else self.folder
                path = folder / one.name_of(table.name)
                path.parent.mkdir(exist_ok=True)
                writers.append(Beside(one.writer(path, table, types)))
                open_files.callback(writers[-1].stop)
            # Closed at once when something fails: PostgreSQL may have rows to send still.
            blocks = open_files.enter_context(closing(self._blocks(view, table)))
            for block, number in blocks:
                for writer in writers:
                    writer.write(block, number)
                rows += number
                said(table.name, done + rows)
            held = [writer.finish() for writer in writers]
        for number in held:
            if number != rows:
                raise _incomplete(table, number, rows)
        return rows

    def _blocks(
        self, view: sql.Identifier, table: Table
    ) -> Generator[tuple[bytearray, int], None, None]:
        """The table as blocks of whole rows of CSV, each with its number of rows.

        Rows stand in the order of their keys alone: that of the registry's own keys would link.
        """
        statement = sql.SQL(
            "COPY (SELECT * FROM {} WHERE {} ORDER BY {}) TO STDOUT (FORMAT csv)"
        ).format(
            view,
            self._of_forms() if table.name == ABSENCES else sql.SQL("true"),
            sql.SQL(", ").join(sql.Identifier(key.name) for key in table.keys),
        )
        with self.cursor.copy(statement) as stream:
            block, rows = bytearray(), 0
            for message in _messages(stream):  # one a row, with a line feed at its end
                block += message[:-1]
                block += b"\r\n"  # as RFC 4180 has it
                rows += 1
                if rows == ROWS:
                    yield block, rows
                    block, rows = bytearray(), 0
            if rows:
                yield block, rows

    def _of_forms(self) -> sql.Composable:
        forms = sorted({"", *(table.form for table in self.tables)})
        return sql.SQL("form IN ({})").format(sql.SQL(", ").join(map(sql.Literal, forms)))

    def _write_text(self, name: str, text: str) -> None:
        (self.folder / name).write_bytes(text.encode())


def _messages(stream: Copy) -> Iterator[memoryview]:
    """What ``stream`` yields, taken from libpq in a third of the time; a million rows count."""
    connection = stream.connection.pgconn
    while True:
        size, message = connection.get_copy_data(1)
        if size > 0:
            yield message
        elif size == 0:  # nothing more has come yet
            select([connection.socket], [], [])
            connection.consume_input()
        else:
            break
    while result := connection.get_result():
        if result.status != ExecStatus.COMMAND_OK:
            raise errors.error_from_result(result)


def _incomplete(table: Table, delivered: int, expected: int) -> IncompleteError:
    return IncompleteError(
        _("%(table)s: %(delivered)s of %(expected)s rows were delivered.")
        % {"table": table.name, "delivered": delivered, "expected": expected}
    )


def names(folder: Path) -> list[str]:
    """The files below a folder, in order, by their names within it."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(folder: Path, path: Path) -> None:
    """Put the files of a folder into a zip, which is the same for the same files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in names(folder):
            info = zipfile.ZipInfo(name, FIRST_MOMENT)
            info.create_system, info.external_attr = 3, 0o644 << 16
            with (folder / name).open("rb") as file, archive.open(info, "w") as entry:
                while block := file.read(BLOCK):
                    entry.write(block)
