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

# A changed item voids the signature that covers it.
VOID = """
CREATE OR REPLACE FUNCTION registry_void(changed_entry bigint, changed text[]) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    INSERT INTO audit_voiding (signature_id, by_id, at, entry, items)
        SELECT signature.id, NULLIF(current_setting('registry.user', true), '')::bigint,
            clock_timestamp(), entry.id, to_jsonb(signed.items)
        FROM visits_formentry entry
        JOIN audit_signature signature ON signature.id = entry.signature_id
        CROSS JOIN LATERAL (
            SELECT array_agg(covered.item) AS items
            FROM jsonb_array_elements_text(signature.covers -> entry.id::text -> 'items')
                AS covered (item)
            WHERE covered.item = ANY (changed)
        ) AS signed
        WHERE entry.id = changed_entry AND signed.items IS NOT NULL
        ON CONFLICT DO NOTHING
$$
"""

# An item changes by its absence code or a companion such as its unit too. Its verification ends,
# and a verified form is then complete again; what the registry works out is never verified.
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
    PERFORM registry_void(OLD.entry_id, changed);
    UPDATE quality_verification SET fallen_at = clock_timestamp(), fallen_by_id = author
        WHERE label = TG_ARGV[0] AND key = OLD.id AND fallen_at IS NULL
            AND (item = ANY (changed) OR item = ANY (
                SELECT regexp_replace(name, '_(typed|unit|comparator|ref_low|ref_high)$', '')
                FROM unnest(changed) AS name));
    IF FOUND THEN
        UPDATE visits_formentry SET state = 'complete'
            WHERE id = OLD.entry_id AND state = 'verified';
    END IF;
    RETURN NULL;
END $$
"""

# A file that comes, goes or is another changes the question that it answers.
FILE_FALLS_AWAY = """
CREATE OR REPLACE FUNCTION registry_file_falls_away() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM registry_void(OLD.entry_id, ARRAY[OLD.item::text]);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM registry_void(NEW.entry_id, ARRAY[NEW.item::text]);
    END IF;
    RETURN NULL;
END $$
"""

# No form goes on naming a signature that is void.
TAKE_OFF = """
CREATE OR REPLACE FUNCTION registry_take_off() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE visits_formentry SET signature_id = NULL WHERE signature_id = NEW.signature_id;
    RETURN NULL;
END $$
"""

# Whether a visit waits for a signature. The visit's row is held first: who finishes another of its
# forms at this moment is waited for, and then counted (each statement sees what is committed).
KEEP_TO_SIGN = """
CREATE OR REPLACE FUNCTION registry_keep_to_sign() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    visit bigint := CASE WHEN TG_OP = 'INSERT' THEN NEW.visit_id ELSE OLD.visit_id END;
BEGIN
    PERFORM FROM visits_visit WHERE id = visit FOR NO KEY UPDATE;
    UPDATE visits_visit SET to_sign = forms.to_sign FROM (
        SELECT COALESCE(bool_and(state IN ('complete', 'verified') AND draft IS NULL)
            AND bool_or(signature_id IS NULL AND locked_at IS NULL), false) AS to_sign
        FROM visits_formentry WHERE visit_id = visit
    ) AS forms
    WHERE id = visit AND visits_visit.to_sign <> forms.to_sign;
    RETURN NULL;
END $$
"""
# A code never changes, so a copy stays true.
FILL_VISIT_CODE = """
CREATE OR REPLACE FUNCTION registry_fill_visit_code() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    NEW.visit_code := COALESCE((SELECT code FROM visits_visit WHERE id = NEW.visit_id), '');
    RETURN NEW;
END $$
"""
REFUSE_CODE = """
CREATE OR REPLACE FUNCTION registry_refuse_visit_code() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'A visit keeps its code.' USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
# What of a form's entry decides it.
_DECIDES = (
    "({0}.state IN ('complete', 'verified') AND {0}.draft IS NULL,"
    " {0}.signature_id IS NULL, {0}.locked_at IS NULL)"
)


def raise_walls() -> Iterator[sql.Composable]:
    yield sql.SQL(REFUSE_LOCKED)
    yield sql.SQL(VOID)
    yield sql.SQL(FALL_AWAY)
    yield sql.SQL(FILE_FALLS_AWAY)
    yield sql.SQL(TAKE_OFF)
    yield sql.SQL(KEEP_TO_SIGN)
    yield sql.SQL(FILL_VISIT_CODE)
    yield sql.SQL(REFUSE_CODE)
    for model in site_records():
        if issubclass(model, Crf | Attachment):
            yield sql.SQL(
                "CREATE OR REPLACE TRIGGER b_refuse_locked BEFORE INSERT OR UPDATE OR DELETE"
                " ON {} FOR EACH ROW EXECUTE FUNCTION registry_refuse_locked()"
            ).format(sql.Identifier(model._meta.db_table))
        if issubclass(model, Crf):
            yield sql.SQL(
                "CREATE OR REPLACE TRIGGER c_fall_away AFTER UPDATE OR DELETE ON {}"
                " FOR EACH ROW EXECUTE FUNCTION registry_fall_away({})"
            ).format(sql.Identifier(model._meta.db_table), sql.Literal(model._meta.label_lower))
    yield sql.SQL(
        "CREATE OR REPLACE TRIGGER c_fall_away AFTER INSERT OR UPDATE OR DELETE ON {}"
        " FOR EACH ROW EXECUTE FUNCTION registry_file_falls_away()"
    ).format(sql.Identifier(Attachment._meta.db_table))
    yield sql.SQL(
        "CREATE OR REPLACE TRIGGER c_take_off AFTER INSERT ON audit_voiding"
        " FOR EACH ROW EXECUTE FUNCTION registry_take_off()"
    )
    yield sql.SQL(
        "CREATE OR REPLACE TRIGGER c_keep_to_sign AFTER INSERT OR DELETE ON visits_formentry"
        " FOR EACH ROW EXECUTE FUNCTION registry_keep_to_sign()"
    )
    yield sql.SQL(
        "CREATE OR REPLACE TRIGGER c_keep_to_sign_changed AFTER UPDATE ON visits_formentry"
        f" FOR EACH ROW WHEN ({_DECIDES.format('OLD')} IS DISTINCT FROM {_DECIDES.format('NEW')})"
        " EXECUTE FUNCTION registry_keep_to_sign()"
    )
    yield sql.SQL(
        "CREATE OR REPLACE TRIGGER a_fill_visit_code"
        " BEFORE INSERT OR UPDATE OF visit_id, visit_code ON visits_formentry"
        " FOR EACH ROW EXECUTE FUNCTION registry_fill_visit_code()"
    )
    yield sql.SQL(
        "CREATE OR REPLACE TRIGGER a_refuse_code BEFORE UPDATE OF code ON visits_visit"
        " FOR EACH ROW WHEN (OLD.code <> NEW.code) EXECUTE FUNCTION registry_refuse_visit_code()"
    )
