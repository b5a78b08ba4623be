"""The formats that are made of the finished tables of a dataset, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.utils.translation import gettext as _

from registry.core.errors import RefusedError

from .formats import Format, made, whole
from .formats.finished import Finished
from .formats.variables import UnfitError
from .tables import Table


class TooLargeError(RefusedError):
    """A table has more values than a format takes."""


def passes(formats: Sequence[str]) -> int:
    """How often each row is written: once as it comes, and once for each format made of it."""
    return 1 + len(made(formats)) + len(whole(formats))


def require_fit(
    formats: Sequence[str], tables: Sequence[Table], expected: Mapping[str, int]
) -> None:
    """Raise :class:`TooLargeError` where one of the formats cannot take a table's rows."""
    for one in made(formats).values():
        for table in tables:
            values = expected[table.name] * len(table.columns)
            if one.most_values and values > one.most_values:
                raise TooLargeError(
                    _(
                        "%(table)s: its %(values)s values are more than %(format)s takes, which is"
                        " %(most)s. Ask for CSV or Parquet, or for fewer participants."
                    )
                    % {
                        "table": table.name,
                        "values": f"{values:,}",
                        "format": one.label,
                        "most": f"{one.most_values:,}",
                    }
                )


def make(
    finished: Finished, formats: Sequence[str], folder: Path, said: Callable[[str, int], None]
) -> Iterator[tuple[str, dict[str, Mapping[str, str]]]]:
    """Write those of the ``formats`` that are made into a dataset's ``folder``.

    Yields those of a file a table with their names: table → column → what it is called there.
    ``said(stage, rows)`` is told of progress. Raises :class:`formats.variables.UnfitError`.
    """
    done = 0
    for code, one in made(formats).items():
        (folder / one.folder).mkdir()
        called = {}
        for described in finished.tables:
            table = described.table.name
            said(f"{code}:{table}", done)
            with _named(one):
                called[table] = one.write(finished, described, folder / one.name_of(table))
            done += finished.rows(table)
        if one.beside:
            one.beside(finished, folder / one.folder)
        yield code, called
    for code, file in whole(formats).items():
        (folder / file.folder).mkdir()
        with _named(file):
            for rows in file.write(finished, folder / file.name_of()):
                said(code, done + rows)
        done += sum(finished.rows(described.table.name) for described in finished.tables)


@contextmanager
def _named(format_: Format) -> Iterator[None]:
    """Say which format it is that cannot hold a value."""
    try:
        yield
    except UnfitError as error:
        raise UnfitError(f"{format_.label}: {error}") from error
