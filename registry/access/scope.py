"""Which rows the database shows and in whose name it writes, for one transaction.

PostgreSQL policies compare a row's ``site_id`` with ``registry.sites``; the history trigger reads
``registry.user``. Both are set here, and by ``migrate`` for its own writes. Without a scope no
rows are seen and no clinical row can be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connections, transaction

from .roles import Permission

if TYPE_CHECKING:
    from .models import User

_SETTINGS = ("sites", "identity_sites", "user", "request", "reason")
_READ = "SELECT " + ", ".join(f"current_setting('registry.{name}', true)" for name in _SETTINGS)
_WRITE = "SELECT " + ", ".join(f"set_config('registry.{name}', %s, true)" for name in _SETTINGS)


@contextmanager
def scope(
    user: User,
    sites: Iterable[int],
    *,
    identity_sites: Iterable[int] = (),
    request: str = "",
    reason: str = "",
    using: str = "default",
) -> Iterator[None]:
    """Open a transaction that sees the rows of ``sites`` (ids) and writes as ``user``.

    ``identity_sites`` are those whose identity vault may be read, ``request`` and ``reason`` go
    to the history. The former scope comes back on leaving, also inside an outer transaction.
    """
    values = [_array(sites), _array(identity_sites), str(user.pk), request, reason]
    outermost = not connections[using].in_atomic_block
    with transaction.atomic(using=using):
        former = [] if outermost else _read(using)
        _write(using, values)
        try:
            yield
        finally:
            # The end of a transaction ends its settings. An aborted one takes no statement, and
            # its rollback restores them.
            if not outermost and not connections[using].needs_rollback:
                _write(using, former)


@contextmanager
def user_scope(user: User, *, request: str = "", reason: str = "") -> Iterator[None]:
    """The scope a person works in: every site where they hold a role."""
    with scope(
        user,
        user.scope_sites,
        identity_sites=user.sites_with(Permission.SEE_IDENTITY),
        request=request,
        reason=reason,
    ):
        yield


def run_in_scope(user: User, site: int, statement: str, values: Iterable[Any]) -> int:
    """Run a statement that writes, in a scope and a transaction of its own; how many rows it wrote.

    All goes to the server at once: for what is done thousands of times in a row. Not inside
    another scope, which it would end.
    """
    opened = [_array([site]), "{}", str(user.pk), "", ""]
    closed = [""] * len(_SETTINGS)
    with connections["default"].cursor() as cursor:
        cursor.execute(f"{_WRITE}; {statement}; {_WRITE}", [*opened, *values, *closed])
        cursor.nextset()
        return int(cursor.rowcount)


@contextmanager
def with_reason(reason: str) -> Iterator[None]:
    """Give the writes inside a reason in the history."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_setting('registry.reason', true)")
        former = cursor.fetchone()[0] or ""
        cursor.execute("SELECT set_config('registry.reason', %s, true)", [reason])
        yield
        cursor.execute("SELECT set_config('registry.reason', %s, true)", [former])


def _array(ids: Iterable[int]) -> str:
    return "{" + ",".join(str(int(one)) for one in sorted(ids)) + "}"


def _read(using: str) -> list[str]:
    with connections[using].cursor() as cursor:
        cursor.execute(_READ)
        return [value or "" for value in cursor.fetchone()]


def _write(using: str, values: list[str]) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(_WRITE, values)
