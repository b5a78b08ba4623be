"""Reading as the owner, whom row-level security shows everything, outside any test's scope."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings
from django.db import connections


def session() -> psycopg.Connection[Any]:
    """The owner in the test's database, over a connection of its own."""
    owner = settings.DATABASES["owner"]
    return psycopg.connect(
        dbname=connections["default"].settings_dict["NAME"],
        user=owner["USER"],
        password=owner["PASSWORD"],
        host=owner["HOST"],
        port=owner["PORT"] or None,
    )


def rows(statement: Any, *values: Any) -> list[tuple[Any, ...]]:
    """Committed rows of the test's database; needs the fixture ``committed``."""
    with session() as connection:
        return connection.execute(statement, values).fetchall()
