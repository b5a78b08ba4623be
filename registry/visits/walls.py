"""A locked form refuses writes to its rows, and what was vouched for falls away when it changes.

A record's trigger takes a share lock on its entry before it looks, so a write under way and a
lock or a signature wait for each other and none slips past.
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

# A changed item (or its absence code, or a companion such as its unit) voids the signature that
# covers it, ends its verification, and a verified form is complete again.
FALL_AWAY = """
CREATE OR REPLACE FUNCTION registry_fall_away() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    author bigint := NULLIF(current_setting('registry.user', true), '')::bigint;
    before jsonb := to_jsonb(OLD);
    after jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    changed text[];
BEGIN
    IF after -> 'entry_id' IS DISTINCT FROM before -> 'entry_id' THEN
        after := '{}';
    END IF;
    SELECT array_agg(name) INTO changed FROM (
        SELECT jsonb_object_keys(before) AS name
        UNION SELECT jsonb_object_keys((before -> 'absent') || COALESCE(after -> 'absent', '{}'))
    ) AS names
    WHERE before -> name IS DISTINCT FROM after -> name
        OR before -> 'absent' -> name IS DISTINCT FROM after -> 'absent' -> name;
    IF changed IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO audit_voiding (signature_id, by_id, at, entry, items)
        SELECT signature.id, author, clock_timestamp(), entry.id, to_jsonb(signed.items)
        FROM visits_formentry entry
        JOIN audit_signature signature ON signature.id = entry.signature_id
        CROSS JOIN LATERAL (
            SELECT array_agg(covered.item) AS items
            FROM jsonb_array_elements_text(signature.covers -> entry.id::text -> 'items')
                AS covered (item)
            WHERE covered.item = ANY (changed)
        ) AS signed
        WHERE entry.id = OLD.entry_id AND signed.items IS NOT NULL
        ON CONFLICT DO NOTHING;
    UPDATE quality_verification SET fallen_at = clock_timestamp(), fallen_by_id = author
        WHERE label = TG_ARGV[0] AND key = OLD.id AND fallen_at IS NULL
            AND (item = ANY (changed) OR item = ANY (
                SELECT regexp_replace(name, '_(typed|unit|comparator|ref_low|ref_high)$', '')
                FROM unnest(changed) AS name));
    UPDATE visits_formentry SET state = 'complete'
        WHERE id = OLD.entry_id AND state = 'verified';
    RETURN NULL;
END $$
"""


def raise_walls() -> Iterator[sql.Composable]:
    yield sql.SQL(REFUSE_LOCKED)
    yield sql.SQL(FALL_AWAY)
    for model in site_records():
        if issubclass(model, Crf | Attachment):
            yield sql.SQL(
                "CREATE OR REPLACE TRIGGER b_refuse_locked BEFORE INSERT OR UPDATE OR DELETE"
                " ON {} FOR EACH ROW EXECUTE FUNCTION registry_refuse_locked()"
            ).format(sql.Identifier(model._meta.db_table))
            yield sql.SQL(
                "CREATE OR REPLACE TRIGGER c_fall_away AFTER UPDATE OR DELETE ON {}"
                " FOR EACH ROW EXECUTE FUNCTION registry_fall_away({})"
            ).format(sql.Identifier(model._meta.db_table), sql.Literal(model._meta.label_lower))
