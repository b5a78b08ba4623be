"""``migrate`` as the owner: drop the generated views, migrate, raise walls and views again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections, transaction

from registry.access.models import User


@contextmanager
def named_writer(database: str) -> Iterator[None]:
    """Write as the system actor “Migration”, once there is one: history asks for a name.

    For the whole connection, since each migration is a transaction of its own.
    """
    connection = connections[database]
    with connection.cursor() as cursor:
        if User._meta.db_table not in connection.introspection.table_names(cursor):
            author = ""
        else:  # in plain SQL: the table has not all of the model's columns yet
            cursor.execute("SELECT id FROM access_user WHERE email = 'migration@system.invalid'")
            author = str((cursor.fetchone() or ("",))[0])
        cursor.execute("SELECT set_config('registry.user', %s, false)", [author])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('registry.user', '', false)")


class Command(Migrate):
    help = "Migrate as the owner role, then raise the walls and generate the release views."

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] not in connections:
            raise CommandError("Set OWNER_DATABASE_URL: migrations run as the database's owner.")
        self._run(options["database"], "before_migrate")
        with named_writer(options["database"]):
            super().handle(*args, **options)
        self._run(options["database"], "raise_walls")

    def _run(self, database: str, step: str) -> None:
        """Run the statements that each room gives for ``step``, in the order of the rooms."""
        with transaction.atomic(using=database), connections[database].cursor() as cursor:
            for config in apps.get_app_configs():
                for statement in getattr(config, step, list)():
                    cursor.execute(statement)
