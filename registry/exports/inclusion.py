"""Who went out in which dataset, and which pseudonyms have to be deleted: what may read it.

The web role reads neither who was in a dataset nor a pseudonym. These functions tell it the
pseudonyms that a project has to delete, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from .as_of import live
from .models import Dataset, DatasetRequest, Deletion, Included, Pseudonym

SQL = sql.SQL


def statements() -> Iterator[sql.Composable]:
    """The table of those left out for stopping since the cut-off, and the functions.

    Joined without nested loops: no statistics tell how many an array holds, nor of new rows, and
    the planner would compare each of 100,000 with each of 1,000 in every release.
    """
    yield STOPPED
    for function in (RECORD, FIND, TO_DELETE):
        yield function.format(
            included=live(Included),
            dataset=live(Dataset),
            request=live(DatasetRequest),
            pseudonym=live(Pseudonym),
            deletion=live(Deletion),
            building=sql.Literal(str(Dataset.State.BUILDING)),
            ready=sql.Literal(str(Dataset.State.READY)),
        )


STOPPED = SQL("""
CREATE UNLOGGED TABLE release.stopped (id bigint PRIMARY KEY)
    WITH (autovacuum_enabled = false)
""")

# Stopped by what was known at the cut-off, or left out since: what a participant who is not asked
# for any more decides later changes no number of an old cut-off.
RECORD = SQL("""
CREATE OR REPLACE FUNCTION registry_record_people(
    earlier bigint, OUT added bigint, OUT gone bigint, OUT stopped bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_nestloop = off AS $$
DECLARE
    built record;
BEGIN
    SELECT d.id, r.project_id INTO STRICT built
        FROM {dataset} d JOIN {request} r ON r.id = d.request_id
        WHERE d.id = NULLIF(current_setting('registry.dataset', true), '')::bigint
        AND d.state = {building};
    INSERT INTO {included} (dataset_id, participants, classes, outcomes)
        SELECT built.id, array_agg(p.id ORDER BY p.id), array_agg(p.class ORDER BY p.id),
            array_agg(p.outcomes ORDER BY p.id)
        FROM release.people p;
    IF earlier IS NULL THEN
        RETURN;
    END IF;
    SELECT count(*) FILTER (WHERE f.id IS NULL), count(*) FILTER (WHERE p.id IS NULL),
            count(*) FILTER (WHERE p.id IS NULL
                             AND (s.id IS NOT NULL OR c.withdrawn OR NOT c.allowed))
        INTO added, gone, stopped
        FROM release.people p FULL JOIN (
            SELECT unnest(i.participants) AS id FROM {included} i
            JOIN {dataset} d ON d.id = i.dataset_id AND d.state = {ready}
            JOIN {request} r ON r.id = d.request_id AND r.project_id = built.project_id
            WHERE i.dataset_id = earlier
        ) f ON f.id = p.id
        LEFT JOIN release.stopped s ON s.id = f.id
        LEFT JOIN release.consenting c ON c.id = f.id;
END $$
""")

# Where sharing is allowed again before the deletion is confirmed it is lifted: the newest consent
# decides here as it does for a release, which will hold the participant again. Whoever stops once
# more is found anew. A confirmed deletion holds until a later dataset brought the participant back.
# Found in the order of the pseudonyms, since that of the registry's own keys would link projects.
FIND = SQL("""
CREATE OR REPLACE FUNCTION registry_find_deletions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_nestloop = off AS $$
BEGIN
    UPDATE {deletion} l SET lifted_at = now()
        FROM {pseudonym} n JOIN release.consenting_now c ON c.id = n.participant_id
        WHERE n.id = l.pseudonym_id AND l.confirmed_at IS NULL AND l.lifted_at IS NULL
        AND c.allowed AND NOT c.withdrawn;
    INSERT INTO {deletion} (project_id, pseudonym_id, found_at)
        WITH stopped AS MATERIALIZED (
            SELECT n.id, n.project_id, n.participant_id, n.code, coalesce(
                (SELECT max(l.confirmed_at) FROM {deletion} l WHERE l.pseudonym_id = n.id),
                '-infinity') AS confirmed_at
            FROM release.consenting_now c JOIN {pseudonym} n ON n.participant_id = c.id
            WHERE (c.withdrawn OR NOT c.allowed)
            AND NOT EXISTS (SELECT FROM {deletion} l WHERE l.pseudonym_id = n.id
                            AND l.confirmed_at IS NULL AND l.lifted_at IS NULL)
        ), sent AS (
            SELECT r.project_id, d.finished_at, i.participants
            FROM {dataset} d JOIN {request} r ON r.id = d.request_id
            JOIN {included} i ON i.dataset_id = d.id
            WHERE d.state = {ready} AND EXISTS (
                SELECT FROM stopped s
                WHERE s.project_id = r.project_id AND s.confirmed_at < d.finished_at)
        )
        SELECT s.project_id, s.id, now() FROM stopped s WHERE s.id IN (
            SELECT s.id FROM sent CROSS JOIN LATERAL unnest(sent.participants) AS p (id)
            JOIN stopped s ON s.participant_id = p.id AND s.project_id = sent.project_id
                AND s.confirmed_at < sent.finished_at)
        ORDER BY s.code
        ON CONFLICT DO NOTHING;
END $$
""")

TO_DELETE = SQL("""
CREATE OR REPLACE FUNCTION registry_pseudonyms_to_delete(of_project bigint)
RETURNS TABLE (deletion bigint, pseudonym text, found_at timestamptz, datasets bigint[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_nestloop = off AS $$
    SELECT o.id, o.code, o.found_at, array_agg(d.id ORDER BY d.id)
    FROM {request} r JOIN {dataset} d ON d.request_id = r.id AND d.state = {ready}
    JOIN {included} i ON i.dataset_id = d.id
    CROSS JOIN LATERAL unnest(i.participants) AS p (id)
    JOIN (
        SELECT l.id, n.code::text, l.found_at, n.participant_id
        FROM {deletion} l JOIN {pseudonym} n ON n.id = l.pseudonym_id
        WHERE l.project_id = $1 AND l.confirmed_at IS NULL AND l.lifted_at IS NULL
    ) o ON o.participant_id = p.id
    WHERE r.project_id = $1
    GROUP BY o.id, o.code, o.found_at ORDER BY o.code COLLATE "C"
$$
""")
