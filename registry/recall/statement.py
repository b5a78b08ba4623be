"""Statements that the ORM writes once and that run with other values each time.

Recall asks the same few large questions of every site on every day. Writing one takes the ORM
longer than it takes PostgreSQL to say that there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import BigIntegerField, BooleanField, Expression, Field, Func, QuerySet

CHUNK = 2000  # rows read at a time: memory stays flat


class Given(Expression):
    """A value that a statement is given, by name, when it runs."""

    def __init__(self, name: str, kind: Field[Any, Any]) -> None:
        super().__init__(output_field=kind)
        self.name = name

    def as_sql(self, *_context: Any, **_more: Any) -> tuple[str, Any]:
        return "%s", (self,)


class Statement:
    """The statement of the rows that ``rows`` makes, in which values stand as :class:`Given`.

    ``key`` is the column by which some of the rows can be asked for.
    """

    def __init__(self, rows: Callable[[], QuerySet[Any, Any]], *, key: str = "pk") -> None:
        self._rows, self._key = rows, key

    @cached_property
    def _all(self) -> tuple[str, tuple[Any, ...]]:
        return self._rows().query.sql_with_params()

    @cached_property
    def _some(self) -> tuple[str, tuple[Any, ...]]:
        keys = Given("keys", ArrayField(BigIntegerField()))
        among = Func(
            self._key,
            keys,
            template="%(expressions)s)",
            arg_joiner=" = ANY(",
            output_field=BooleanField(),
        )
        return self._rows().filter(among).query.sql_with_params()

    def bound(self, keys: Collection[int] | None, **given: Any) -> tuple[str, list[Any]]:
        """The SQL and its parameters, of all the rows or of those with ``keys``."""
        sql, parameters = self._all if keys is None else self._some
        given["keys"] = keys and list(keys)
        return sql, [given[one.name] if isinstance(one, Given) else one for one in parameters]

    def read(self, keys: Collection[int] | None, **given: Any) -> Iterator[tuple[Any, ...]]:
        """The rows, as tuples."""
        with connection.chunked_cursor() as cursor:
            cursor.execute(*self.bound(keys, **given))
            while rows := cursor.fetchmany(CHUNK):
                yield from rows


def read_to_the_end(connection: Any, **_signal: Any) -> None:
    """Let PostgreSQL plan cursors for all their rows, not for the first of them."""
    with connection.cursor() as cursor:
        cursor.execute("SET cursor_tuple_fraction = 1")
