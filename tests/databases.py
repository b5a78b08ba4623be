"""Test databases: the owner migrates a template once per state of the code, tests get clones.

Append-only history refuses a flush, so a test that commits gets a clone of its own (0.1 s).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from environ import Env
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent


def _code_state() -> str:
    """A fingerprint of everything that shapes the database."""
    digest = hashlib.sha256((ROOT / "uv.lock").read_bytes())
    for path in sorted((ROOT / "registry").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _as_owner() -> psycopg.Connection[tuple[object, ...]]:
    """The owner, outside any test database."""
    given = settings.DATABASES["owner"]
    return psycopg.connect(
        dbname="postgres",
        user=given["USER"],
        password=given["PASSWORD"],
        host=given["HOST"],
        port=given["PORT"] or None,
        autocommit=True,
    )


def _owner_says(*statements: sql.Composable) -> None:
    with _as_owner() as connection:
        for statement in statements:
            connection.execute(statement)


def use(name: str) -> None:
    """Point every connection of this process at the database ``name``."""
    for connection in connections.all():
        connection.close()
        connection.settings_dict["NAME"] = name


@contextmanager
def elsewhere(urls: Mapping[str, str]) -> Iterator[None]:
    """Within the block each alias of ``urls`` is a database of another server, by its URL."""
    former = {alias: dict(connections[alias].settings_dict) for alias in urls}
    _point({alias: Env.db_url_config(url) for alias, url in urls.items()})
    try:
        yield
    finally:
        _point(former)


def _point(places: Mapping[str, Mapping[str, Any]]) -> None:
    for alias, place in places.items():
        connections[alias].close()
        for part in ("HOST", "PORT", "USER", "PASSWORD", "NAME"):
            connections[alias].settings_dict[part] = place[part]


def template() -> str:
    """The name of a migrated database for this state of the code."""
    name = f"template_{_code_state()}"
    with _as_owner() as connection:
        # Of several test processes one migrates, the others wait for it.
        connection.execute("SELECT pg_advisory_lock(4711)")
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if not found.fetchone():
            _migrate(name)
    return name


def _migrate(name: str) -> None:
    raw_name = f"raw_{name}"
    raw = sql.Identifier(raw_name)
    _owner_says(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(raw),
        sql.SQL("CREATE DATABASE {}").format(raw),
    )
    use(raw_name)
    call_command("migrate", verbosity=0)
    use("postgres")
    # Renamed only when whole, so that an interrupted run leaves no half template behind.
    _owner_says(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(raw, sql.Identifier(name)))


@contextmanager
def clone(of: str, name: str) -> Iterator[None]:
    """A copy ``name`` of the database ``of``, in use within the block, dropped after it."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    former = connections["default"].settings_dict["NAME"]
    _owner_says(drop, create.format(sql.Identifier(name), sql.Identifier(of)))
    use(name)
    try:
        yield
    finally:
        use(former)
        _drop(drop)


def _drop(statement: sql.Composable) -> None:
    """Drop a database as soon as autovacuum, which the owner cannot end, has left it."""
    for _ in range(600):
        try:
            return _owner_says(statement)
        except psycopg.errors.InsufficientPrivilege:
            time.sleep(0.1)
    return _owner_says(statement)
