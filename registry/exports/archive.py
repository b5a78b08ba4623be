"""The file of a dataset: every table streamed by COPY into one zip, and what proves it.

The bytes depend on the rows alone: entries are stored with one fixed moment, gzip carries no time.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext as _
from psycopg import sql

from registry.core import codebook
from registry.core.errors import RefusedError

from .profiles import Profile
from .release_views import ABSENCES, Table

FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)  # the oldest a zip can say
MANIFEST, CODEBOOK = "manifest.json", "codebook.csv"
BLOCK = 2**20
LEVEL = 6


class IncompleteError(RefusedError):
    """Not every row that had to be delivered was."""


@dataclass(frozen=True)
class Delivered:
    """What became of one file."""

    name: str
    sha256: str
    rows: int | None = None


class _Hashing(io.RawIOBase):
    """Passes bytes on and remembers their SHA-256."""

    def __init__(self, to: IO[bytes]) -> None:
        self.to = to
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.to.write(data)


def expected_rows(cursor: Any, profile: Profile, tables: Iterable[Table]) -> dict[str, int]:
    """Table → rows it must have, counted by the database without the pseudonyms."""
    forms = [table.form for table in tables]
    cursor.execute(
        sql.SQL("SELECT name, coalesce(sum(rows), 0) FROM {} WHERE {} GROUP BY name").format(
            sql.Identifier(profile.schema, "expected"),
            _of_forms("form", ["", *forms]),
        )
    )
    counted = dict(cursor.fetchall())
    return {table.name: int(counted.get(table.name, 0)) for table in tables}


def write_archive(
    path: Path,
    *,
    cursor: Any,
    profile: Profile,
    tables: list[Table],
    expected: dict[str, int],
    about: dict[str, Any],
    said: Callable[[str, int], None],
) -> dict[str, Any]:
    """Write the zip at ``path`` from a release cursor and return its manifest.

    ``about`` goes into the manifest; ``said(stage, rows)`` is told of progress. Raises
    :class:`IncompleteError` when a table delivers another number of rows than expected.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        files = []
        done = 0
        for table in tables:
            before = done

            def tell(rows: int, table: Table = table, before: int = before) -> None:
                said(table.name, before + rows)

            delivered = _write_table(archive, cursor, profile, tables, table, tell)
            if delivered.rows != expected[table.name]:
                raise IncompleteError(
                    _("%(table)s: %(delivered)s of %(expected)s rows were delivered.")
                    % {
                        "table": table.name,
                        "delivered": delivered.rows,
                        "expected": expected[table.name],
                    }
                )
            done += expected[table.name]
            files.append(delivered)
        manifest: dict[str, Any] = {
            **about,
            "tables": [
                {
                    "table": table.name,
                    "file": file.name,
                    "expected": expected[table.name],
                    "delivered": file.rows,
                }
                for table, file in zip(tables, files, strict=True)
            ],
        }
        files.append(_write_text(archive, CODEBOOK, codebook_of(tables)))
        files.append(_write_text(archive, "README.txt", readme(manifest, profile, tables)))
        manifest["sha256"] = {file.name: file.sha256 for file in files}
        _write_text(archive, MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return manifest


def _write_table(
    archive: zipfile.ZipFile,
    cursor: Any,
    profile: Profile,
    tables: list[Table],
    table: Table,
    tell: Callable[[int], None],
) -> Delivered:
    name = f"{table.name}.csv.gz"
    keys = sql.SQL(", ").join(sql.Identifier(key.name) for key in table.keys)
    # Rows stand in the order of their keys alone: that of the registry's own keys would link.
    copy = sql.SQL("COPY (SELECT * FROM {} WHERE {} ORDER BY {}) TO STDOUT (FORMAT csv, HEADER)")
    forms = _of_forms("form", [one.form for one in tables])
    statement = copy.format(
        sql.Identifier(profile.schema, table.name),
        forms if table.name == ABSENCES else sql.SQL("true"),
        keys,
    )
    rows = -1  # PostgreSQL sends one message a row, and the header first
    with archive.open(_entry(name), "w", force_zip64=True) as entry:
        hashing = _Hashing(entry)
        with (
            gzip.GzipFile("", "wb", LEVEL, hashing, mtime=0) as packed,
            io.BufferedWriter(packed, BLOCK) as out,
            cursor.copy(statement) as stream,
        ):
            for message in stream:
                out.write(message)
                rows += 1
                if rows % 5000 == 0:
                    tell(rows)
    tell(rows)
    return Delivered(name, hashing.digest.hexdigest(), rows)


def _write_text(archive: zipfile.ZipFile, name: str, text: str) -> Delivered:
    data = text.encode()
    with archive.open(_entry(name), "w") as entry:
        entry.write(data)
    return Delivered(name, hashlib.sha256(data).hexdigest())


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, FIRST_MOMENT)
    info.create_system, info.external_attr = 3, 0o644 << 16
    return info


def _of_forms(column: str, forms: Iterable[str]) -> sql.Composable:
    return sql.SQL("{} IN ({})").format(
        sql.Identifier(column), sql.SQL(", ").join(map(sql.Literal, sorted(set(forms))))
    )


def codebook_of(tables: Iterable[Table]) -> str:
    """One row a column of the dataset, in its order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", "column", "label", "kind", "unit", "choices", "form", "item"])
    writer.writerows(
        [
            table.name,
            column.name,
            column.label,
            column.kind,
            column.unit,
            codebook.in_one_cell(column.choices),
            column.form,
            column.item,
        ]
        for table in tables
        for column in table.columns
    )
    return text.getvalue()


def readme(manifest: dict[str, Any], profile: Profile, tables: Iterable[Table]) -> str:
    """What is in the dataset and how to read it."""
    lines = [f"  {table.name}.csv.gz: {table.label}" for table in tables]
    return README.format(
        profile=profile.label,
        description=profile.description,
        cut_off=manifest["cut_off"],
        code=manifest["code_version"],
        codebook=manifest["codebook_version"],
        tables="\n".join(lines),
    )


README = """Saphena registry: de-identified dataset

Profile: {profile}. {description}
Data as of {cut_off} (UTC), code {code}, codebook {codebook}.

Tables, one row for each record, joined by their first columns (participant, visit, limb, ulcer):
{tables}

Each is CSV in UTF-8, packed by gzip: RFC 4180 save that lines end with a line feed alone. An empty
value is missing; absence_codes.csv.gz says why where that was recorded. Dates are study days:
days from the participant's enrolment, which is day 0. A date known to the month or the year only,
as its column _precision says, is told in whole months of 30 or whole years of 365 days, from the
month or the year of enrolment. Yes and no are 1 and 0; an item with several choices has one such
column for each. codebook.csv describes every column.

Participants carry random names drawn for this project. They stay the same in the project's later
datasets and mean nothing elsewhere. Nobody may try to find out who they are.

manifest.json gives the rows expected and delivered for each table and the SHA-256 of each file.
"""
