"""The history trigger on every recorded table, and the guard that keeps history append-only."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import models
from psycopg import sql

from registry.access.models import Membership, Site, User
from registry.access.walls import policies, site_records

from .models import Change

# Recorded although they are no site's records: who may do what, and where.
RECORDED: dict[type[models.Model], tuple[str, ...]] = {
    User: ("password", "last_login"),
    Membership: (),
    Site: ("last_number",),
}

RECORD_CHANGE = """
CREATE OR REPLACE FUNCTION registry_record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    left_out text[] := TG_ARGV[1]::text[];
    before jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) - left_out END;
    after jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) - left_out END;
    whole jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    changed jsonb;
    author bigint := NULLIF(current_setting('registry.user', true), '')::bigint;
BEGIN
    SELECT jsonb_object_agg(key, jsonb_build_array(before -> key, after -> key)) INTO changed
        FROM (SELECT jsonb_object_keys(before || after) AS key) AS keys
        WHERE COALESCE(before -> key, 'null') IS DISTINCT FROM COALESCE(after -> key, 'null');
    IF changed IS NULL THEN
        RETURN NULL;
    END IF;
    IF author IS NULL THEN
        RAISE EXCEPTION 'A write to % needs a named user.', TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO audit_change (site_id, label, key, action, changes, by_id, at, transaction_at,
                              transaction_no, request, reason)
        VALUES ((whole ->> 'site_id')::bigint, TG_ARGV[0], (whole ->> 'id')::bigint, lower(TG_OP),
                changed, author, clock_timestamp(), transaction_timestamp(),
                pg_current_xact_id()::text::bigint,
                COALESCE(current_setting('registry.request', true), ''),
                COALESCE(current_setting('registry.reason', true), ''));
    RETURN NULL;
END $$
"""

REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION registry_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only.', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""


def raise_walls() -> Iterator[sql.Composable]:
    yield sql.SQL(RECORD_CHANGE)
    yield sql.SQL(REFUSE_CHANGE)
    yield sql.SQL("REVOKE ALL ON FUNCTION registry_record_change() FROM PUBLIC")
    yield from _append_only(Change)
    yield from policies(Change, command="SELECT")
    for record in site_records():
        if record.append_only:  # each row is its own history
            yield from _append_only(record)
        else:
            yield _record(record, record.unrecorded)
    for model, unrecorded in RECORDED.items():
        yield _record(model, unrecorded)


def _record(model: type[models.Model], unrecorded: tuple[str, ...]) -> sql.Composable:
    columns = [str(model._meta.get_field(name).column) for name in unrecorded]  # type: ignore[union-attr]
    return sql.SQL(
        "CREATE OR REPLACE TRIGGER z_record_change AFTER INSERT OR UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION registry_record_change({label}, {unrecorded})"
    ).format(
        table=sql.Identifier(model._meta.db_table),
        label=sql.Literal(model._meta.label_lower),
        unrecorded=sql.Literal("{" + ",".join(["id", "site_id", *columns]) + "}"),
    )


def _append_only(model: type[models.Model]) -> Iterator[sql.Composable]:
    table = sql.Identifier(model._meta.db_table)
    yield sql.SQL(
        "CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {}"
        " FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_change()"
    ).format(table)
    # ALWAYS: neither replica mode nor a superuser's session setting switches it off.
    yield sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER append_only").format(table)
