"""Which forms hold anything: asked once, instead of reading two dozen mostly empty tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from django.db import connection
from psycopg import sql

from .crf import FORMS
from .models import FormEntry


@cache
def _asking() -> sql.Composed:
    return sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT {code} WHERE EXISTS (SELECT FROM {record} t JOIN {entry} e ON e.id = t.entry_id"
            " WHERE e.participant_id = ANY (%(participants)s))"
        ).format(
            code=sql.Literal(kind.code),
            record=sql.Identifier(kind.model._meta.db_table),
            entry=sql.Identifier(FormEntry._meta.db_table),
        )
        for kind in FORMS.values()
    )


def recorded_forms(participants: Sequence[int]) -> frozenset[str]:
    """Codes of the forms of which any of the participants has a record."""
    with connection.cursor() as cursor:
        cursor.execute(_asking(), {"participants": list(participants)})
        return frozenset(code for (code,) in cursor.fetchall())
