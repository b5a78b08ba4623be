"""The lock by which a build shows that its builder is alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connections


@contextmanager
def advisory_lock(kind: int, number: int, using: str) -> Iterator[bool]:
    """Try to hold the lock for the session; a process that dies gives it back."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, number])
        held: bool = cursor.fetchone()[0]
    try:
        yield held
    finally:
        if held:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, number])
            except DatabaseError:  # the session is gone, and the lock with it
                connection.close()
