"""Migrations: none is missing, and they hold stock fields only, so no code of ours may vanish."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate
from django.db import DatabaseError, connections, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField, AlterField, CreateModel

from registry.core.dictionary import number


def fields_of(migration):
    """Every field that the migration writes, inner ones of arrays and generated ones included."""
    for operation in migration.operations:
        if isinstance(operation, CreateModel):
            fields = [field for _, field in operation.fields]
        elif isinstance(operation, AddField | AlterField):
            fields = [operation.field]
        else:
            continue
        for field in fields:
            yield field
            for inner in ("base_field", "output_field"):
                if isinstance(found := getattr(field, inner, None), models.Field):
                    yield found


def rename(name):
    """What a migration may do to data that have a history."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "UPDATE access_user SET name = %s WHERE email = 'recall@system.invalid'", [name]
        )


def test_a_migration_of_recorded_data_writes_in_its_own_name(committed, monkeypatch):
    monkeypatch.setattr(Migrate, "handle", lambda *_args, **_options: rename("Recall mails"))
    call_command("migrate", verbosity=0)
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT changes ->> 'name', u.name FROM audit_change JOIN access_user u ON u.id = by_id"
            " WHERE label = 'access.user' ORDER BY audit_change.id DESC LIMIT 1"
        )
        assert cursor.fetchone() == ('["Recall", "Recall mails"]', "Migration")
    with pytest.raises(DatabaseError, match="named user"), transaction.atomic(using="owner"):
        rename("Recall")


def not_stock(fields):
    return [
        path
        for path in (field.deconstruct()[1] for field in fields)
        if not path.startswith("django.")
    ]


def test_no_migration_is_missing(db):
    said = StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=said)
    except SystemExit:
        pytest.fail(f"run manage.py makemigrations:\n{said.getvalue()}")


def test_migrations_hold_only_stock_fields():
    loader = MigrationLoader(None)
    ours = [
        field
        for migration in loader.disk_migrations.values()
        if migration.__module__.startswith("registry.")
        for field in fields_of(migration)
    ]
    assert len(ours) > 200
    assert not_stock(ours) == []


def test_a_field_of_our_own_would_be_found():
    class Own(models.IntegerField):
        pass

    operation = AddField("laboratory", "ferritin", Own())
    migration = type("M", (), {"operations": [operation]})
    assert len(not_stock(fields_of(migration))) == 1
    assert not_stock([number("Ferritin", possible=(1, 20_000))]) == []
