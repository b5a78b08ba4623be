"""The zip of a site's own data, written entry by entry to where it is sealed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.files.storage import default_storage
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.audit.actions import log_look
from registry.core import codebook
from registry.imaging.models import Film
from registry.visits.models import Attachment

from ..archive import BLOCK, MANIFEST, IncompleteError
from .cells import records
from .history import history
from .identities import COPY, identities
from .tables import AT_ONCE, Table, file_name, sees_readings, tables

ROWS = 1000  # rows written to the zip at once
FILES = "files"  # what progress and manifest call them

Said = Callable[[str, int], None]


@dataclass
class Package:
    """The copy of a site's data for ``by``, read over the open snapshot.

    ``expected`` counts, before anything is written, the rows of each table and the files.
    """

    site: Site
    by: User
    moment: datetime
    tables: list[Table] = field(init=False)
    expected: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.tables = [
            identities(self.site, self.by),
            *tables(self.site, self.by),
            history(self.site, self.by),
        ]
        self.expected = {table.name: table.count() for table in self.tables}
        self.expected_files = 2 * self._films().count() + self._attachments().count()

    @property
    def total(self) -> int:
        """Rows and files together, by which progress is told."""
        return sum(self.expected.values()) + self.expected_files

    def write(self, out: Any, about: dict[str, Any], said: Said) -> dict[str, Any]:
        """Write the zip to ``out`` and return its manifest, which is its last entry.

        ``said(stage, done)`` is told of progress. Raises
        :class:`registry.exports.archive.IncompleteError` when rows or files are missing.
        """
        with zipfile.ZipFile(out, "w") as archive:
            entries = _Entries(archive, self.moment)
            done, of_tables = 0, []
            for table in self.tables:
                rows = self._write_table(entries, table, done, said)
                _compare(table.name, rows, self.expected[table.name])
                done += rows
                of_tables.append(
                    {
                        "table": table.name,
                        "file": table.file,
                        "expected": self.expected[table.name],
                        "delivered": rows,
                    }
                )
            files = self._write_files(entries, done, said)
            _compare(FILES, files, self.expected_files)
            manifest = {
                **about,
                "tables": of_tables,
                FILES: {"expected": self.expected_files, "delivered": files},
            }
            entries.add("codebook.csv", _csv(_codebook(self.tables)))
            entries.add("README.txt", [self._readme(manifest)])
            manifest["sha256"] = entries.sha256
            whole = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
            entries.add(MANIFEST, [whole.encode()])
        return manifest

    def _write_table(self, entries: _Entries, table: Table, done: int, said: Said) -> int:
        rows = 0

        def counted() -> Iterator[Sequence[str]]:
            nonlocal rows
            yield [column.name for column in table.columns]
            for row in table.rows():
                rows += 1
                if rows % ROWS == 0:
                    said(table.name, done + rows)
                yield row

        said(table.name, done)
        entries.add(table.file, _csv(counted()))
        return rows

    def _write_files(self, entries: _Entries, done: int, said: Said) -> int:
        files = 0
        for record, participant, columns in self._with_files():
            log_look(by=self.by, record=record, what=COPY)
            for column in columns:
                stored_as = getattr(record, column).name
                name = file_name(participant.study_number, column, record.pk, stored_as)
                entries.add(name, _blocks(stored_as, name), packed=False)
                files += 1
                said(FILES, done + files)
        return files

    def _with_files(self) -> Iterator[tuple[Any, Any, tuple[str, ...]]]:
        films = self._films().select_related("xray__entry__participant").order_by("pk")
        for film in films.iterator(AT_ONCE):
            yield film, film.xray.entry.participant, ("original", "picture")
        kept = self._attachments().select_related("entry__participant").order_by("pk")
        for one in kept.iterator(AT_ONCE):
            yield one, one.entry.participant, ("stored",)

    def _films(self) -> Any:
        return records(Film, self.site)

    def _attachments(self) -> Any:
        return records(Attachment, self.site)

    def _readme(self, manifest: dict[str, Any]) -> bytes:
        readings = sees_readings(self.by)
        page = {"manifest": manifest, "tables": self.tables, "site": self.site, "by": self.by}
        text = render_to_string("exports/own/readme.txt", page | {"sees_readings": readings})
        return text.replace("\n", "\r\n").encode()


class _Entries:
    """The zip's entries, each with its SHA-256 as it is written."""

    def __init__(self, archive: zipfile.ZipFile, moment: datetime) -> None:
        self.archive = archive
        self.moment = moment.astimezone(UTC).timetuple()[:6]
        self.sha256: dict[str, str] = {}

    def add(self, name: str, blocks: Iterable[bytes], *, packed: bool = True) -> None:
        digest = hashlib.sha256()
        info = zipfile.ZipInfo(name, self.moment)
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.create_system, info.external_attr = 3, 0o600 << 16
        with self.archive.open(info, "w", force_zip64=True) as entry:
            for block in blocks:
                digest.update(block)
                entry.write(block)
        self.sha256[name] = digest.hexdigest()


def _csv(rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Rows as RFC 4180 in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for number, row in enumerate(rows, 1):
        writer.writerow(row)
        if number % ROWS == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _blocks(stored_as: str, name: str) -> Iterator[bytes]:
    try:
        file: Any = default_storage.open(stored_as)
    except FileNotFoundError:
        raise IncompleteError(_("%(file)s: the stored file is gone.") % {"file": name}) from None
    with file:
        while block := file.read(BLOCK):
            yield block


def _compare(name: str, delivered: int, expected: int) -> None:
    if delivered != expected:
        raise IncompleteError(
            _("%(table)s: %(delivered)s of %(expected)s rows were delivered.")
            % {"table": name, "delivered": delivered, "expected": expected}
        )


def _codebook(tables: Iterable[Table]) -> Iterator[Sequence[str]]:
    """One row a column of every table."""
    yield ["table", "column", "label", "kind", "unit", "choices"]
    for table in tables:
        for column in table.columns:
            choices = codebook.in_one_cell(column.choices)
            yield [table.name, column.name, column.label, str(column.kind), column.unit, choices]
