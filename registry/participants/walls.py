"""The one question a site may ask across sites."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from registry.access.walls import web_role

KNOWN_ELSEWHERE = """
CREATE OR REPLACE FUNCTION registry_known_elsewhere(participant bigint)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM participants_identity own
        JOIN participants_identity other
            ON other.name_and_birth = own.name_and_birth AND other.site_id <> own.site_id
        WHERE own.participant_id = participant
            AND own.site_id = ANY (NULLIF(current_setting('registry.sites', true), '')::bigint[])
    )
$$
"""


def raise_walls() -> Iterator[sql.Composable]:
    name = sql.SQL("FUNCTION registry_known_elsewhere(bigint)")
    yield sql.SQL(KNOWN_ELSEWHERE)
    yield sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(name)
    yield sql.SQL("GRANT EXECUTE ON {} TO {}").format(name, web_role())
