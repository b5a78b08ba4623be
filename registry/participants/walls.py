"""The one question a site may ask across sites."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from registry.access.walls import web_role

KNOWN_ELSEWHERE = """
CREATE OR REPLACE FUNCTION registry_known_elsewhere(own_site bigint, fingerprint bytea)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM participants_identity
                   WHERE name_and_birth = fingerprint AND site_id <> own_site)
$$
"""


def raise_walls() -> Iterator[sql.Composable]:
    name = sql.SQL("FUNCTION registry_known_elsewhere(bigint, bytea)")
    yield sql.SQL(KNOWN_ELSEWHERE)
    yield sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(name)
    yield sql.SQL("GRANT EXECUTE ON {} TO {}").format(name, web_role())
