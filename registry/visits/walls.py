"""A locked form refuses writes to its rows in the database too.

A record's trigger takes a share lock on its entry before it looks, so a write under way and a
lock wait for each other and none slips past.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from registry.access.walls import site_records

from .attachment import Attachment
from .crf import Crf

REFUSE_LOCKED = """
CREATE OR REPLACE FUNCTION registry_refuse_locked() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    entry bigint := CASE WHEN TG_OP = 'INSERT' THEN NEW.entry_id ELSE OLD.entry_id END;
    locked timestamptz;
BEGIN
    SELECT locked_at INTO locked FROM visits_formentry WHERE id = entry FOR SHARE;
    IF locked IS NOT NULL THEN
        RAISE EXCEPTION 'The form is locked.' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$
"""


def raise_walls() -> Iterator[sql.Composable]:
    yield sql.SQL(REFUSE_LOCKED)
    for model in site_records():
        if issubclass(model, Crf | Attachment):
            yield sql.SQL(
                "CREATE OR REPLACE TRIGGER b_refuse_locked BEFORE INSERT OR UPDATE OR DELETE"
                " ON {} FOR EACH ROW EXECUTE FUNCTION registry_refuse_locked()"
            ).format(sql.Identifier(model._meta.db_table))
