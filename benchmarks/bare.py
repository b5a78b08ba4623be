"""PostgreSQL through psycopg alone, as the owner or as the web role."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings


def connect(name: str, role: str) -> psycopg.Connection[Any]:
    """A connection to the database ``name`` as the ``role`` ("owner" or "default") of settings."""
    given = settings.DATABASES[role]
    return psycopg.connect(
        dbname=name,
        user=given["USER"],
        password=given["PASSWORD"],
        host=given["HOST"],
        port=given["PORT"] or None,
    )
