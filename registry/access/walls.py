"""Row-level security and grants of every table, raised after each ``migrate``.

Walls are generated from the models, like the release views, and raised again on every migrate:
no migration can forget one. A new table has no grants until its walls stand, so a crash in
between leaves it closed.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.db import models
from psycopg import sql

from .models import SiteRecord

# Read in the policies once a statement, as an array of ids; '' after a SET LOCAL, hence NULLIF.
_SITES = "ANY ((SELECT NULLIF(current_setting('registry.{name}', true), '')::bigint[])::bigint[])"

FILL_SITE = """
CREATE OR REPLACE FUNCTION registry_fill_site() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT site_id FROM %I WHERE id = $1', TG_ARGV[0])
        INTO NEW.site_id USING (to_jsonb(NEW) ->> TG_ARGV[1])::bigint;
    RETURN NEW;
END $$
"""


def site_records() -> Iterator[type[SiteRecord]]:
    for model in apps.get_models():
        if issubclass(model, SiteRecord):
            yield model


def web_role() -> sql.Identifier:
    return sql.Identifier(settings.DATABASES["default"]["USER"])


def raise_walls() -> Iterator[sql.Composable]:
    """Statements, run as the owner: policies and site triggers first, grants last."""
    yield sql.SQL(FILL_SITE)
    for model in site_records():
        yield from policies(model, model.scope_setting)
        if model.site_from:
            yield from _site_trigger(model)
    yield from _grants()


def policies(
    model: type[models.Model], setting: str = "sites", command: str = "ALL"
) -> Iterator[sql.Composable]:
    """Row-level security of one table: the web role by site for ``command``, the owner whole."""
    table = sql.Identifier(model._meta.db_table)
    yield sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table)
    yield sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(table)
    yield sql.SQL("DROP POLICY IF EXISTS by_site ON {}").format(table)
    yield sql.SQL("CREATE POLICY by_site ON {} FOR {} TO {} USING (site_id = {})").format(
        table, sql.SQL(command), web_role(), sql.SQL(_SITES.format(name=setting))
    )
    yield sql.SQL("DROP POLICY IF EXISTS owner ON {}").format(table)
    yield sql.SQL("CREATE POLICY owner ON {} TO CURRENT_USER USING (true)").format(table)


def _site_trigger(model: type[SiteRecord]) -> Iterator[sql.Composable]:
    parent = model._meta.get_field(model.site_from)
    assert isinstance(parent, models.ForeignKey)
    yield sql.SQL(
        "CREATE OR REPLACE TRIGGER a_fill_site BEFORE INSERT OR UPDATE OF {column}, site_id"
        " ON {table} FOR EACH ROW EXECUTE FUNCTION registry_fill_site({parent}, {name})"
    ).format(
        column=sql.Identifier(parent.column),
        table=sql.Identifier(model._meta.db_table),
        parent=sql.Literal(parent.related_model._meta.db_table),
        name=sql.Literal(parent.column),
    )


def _grants() -> Iterator[sql.Composable]:
    """The web role may read and write rows, save in tables that say what else is granted."""
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(web_role())
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.managed or model._meta.proxy:
            continue
        granted = getattr(model, "web_grants", "SELECT, INSERT, UPDATE, DELETE")
        table = sql.Identifier(model._meta.db_table)
        yield sql.SQL("REVOKE ALL ON {} FROM {}").format(table, web_role())
        if granted:
            yield sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(granted), table, web_role())
    # Lets ``makemigrations --check`` and a start-up check see what was applied.
    yield sql.SQL("GRANT SELECT ON django_migrations TO {}").format(web_role())
    yield sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(web_role())
