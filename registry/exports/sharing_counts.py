"""What a request's page is told about numbers: SQL that hides and rounds before it answers.

In the order of OpenSAFELY, small counts are hidden first and the others rounded then, totals too
(the protocol's section on release, ``docs/adr/0014``). It happens here, in the one function that
the web role may call, so that no page can show more.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from registry.access.models import Site
from registry.imaging.models import Xray
from registry.visits.models import FormEntry, Visit

from .as_of import live
from .profiles import SMALLEST
from .rules import REASONS

SQL = sql.SQL

# Why a participant ``p`` is not in what is ``asked`` for; NULL when he is. The first reason counts.
LEFT_OUT = SQL("""CASE
        WHEN p.arm <> ALL (asked.arms) THEN 'arms'
        WHEN asked.sites <> '{{}}' AND p.site_id <> ALL (asked.sites) THEN 'sites'
        WHEN p.enrolled_on < asked.enrolled_from OR p.enrolled_on > asked.enrolled_to THEN 'period'
        WHEN asked.classes <> '{{}}' AND p.id NOT IN (
            SELECT b.id FROM {classes} b WHERE b.class = ANY (asked.classes)) THEN 'classes'
        WHEN p.withdrawn THEN 'withdrawn'
        WHEN NOT p.allowed THEN 'not_allowed'
    END""")

TOLD = SQL("""
CREATE FUNCTION release.told(number bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN number >= {smallest} THEN (number + 2) / 5 * 5 END
$$
""")

# The rows of so many people: their average, to a fifth, times the people told. The rows themselves
# would give the people back, for most have the visits of one plan; of averages to a fifth any
# number of people from eight on has some.
TOLD_ROWS = SQL("""
CREATE FUNCTION release.told_rows(people bigint, number bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT (release.told(people) / 5 * round(5.0 * number / nullif(people, 0)))::bigint
$$
""")

# A division of the people into groups, each hidden or rounded, beside their rounded number. What is
# shown of a division leaves its people between ``low`` and ``high``. One with hidden groups is told
# only where that says no more of their number than is known without it, from the number told and
# from divisions in which nothing is hidden; and where it does not come to its own end, at which all
# hidden groups would be known. So no hidden number follows, from one division or from several.
TOLD_GROUPS = SQL("""
CREATE FUNCTION release.told_groups(people bigint, divisions text[], codes text[], numbers bigint[])
RETURNS TABLE (division text, code text, number bigint) LANGUAGE sql IMMUTABLE AS $$
    WITH groups AS (
        SELECT g.division, g.code, release.told(g.number) AS number
        FROM unnest(divisions, codes, numbers) g (division, code, number)
    ), bounds AS (
        SELECT g.division, count(*) = count(g.number) AS whole,
            coalesce(sum(g.number), 0) - 2 * count(g.number) AS low,
            coalesce(sum(g.number), 0) + 2 * count(g.number)
                + ({smallest} - 1) * (count(*) - count(g.number)) AS high
        FROM groups g GROUP BY g.division
    ), known AS (
        SELECT greatest(release.told(people) - 2, max(b.low) FILTER (WHERE b.whole)) AS low,
            least(release.told(people) + 2, min(b.high) FILTER (WHERE b.whole)) AS high
        FROM bounds b
    )
    SELECT g.division, g.code, g.number
    FROM groups g JOIN bounds b ON b.division = g.division CROSS JOIN known k
    WHERE people >= {smallest} AND (b.whole
        OR (b.low <= least(k.low, k.high - 2) AND b.high >= greatest(k.high, k.low + 2)))
$$
""")

# ``included`` is 0 when nobody would be in the dataset, and NULL when few; any other number is NULL
# when it is small or none. Sites come without their names, for the numbers that stand for them in a
# dataset would be known by their size.
#
# Without nested loops, as in ``inclusion``: the planner expects few people, and would look up each.
SHARING_COUNTS = SQL("""
CREATE OR REPLACE FUNCTION registry_sharing_counts(
    arms text[], sites bigint[], enrolled_from date, enrolled_to date, classes smallint[])
RETURNS TABLE (what text, code text, number bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_nestloop = off AS $$
    WITH classes_of AS MATERIALIZED (
        SELECT b.id, b.class FROM release.classes_now b
    ), everyone AS MATERIALIZED (
        SELECT p.id, p.arm::text AS arm, p.site_id, {left_out} AS why
        FROM release.consenting_now p CROSS JOIN (
            SELECT arms, sites, enrolled_from, enrolled_to, classes) asked
    ), people AS MATERIALIZED (
        SELECT p.id, p.arm, p.site_id, coalesce(b.class::text, '') AS class
        FROM everyone p LEFT JOIN classes_of b ON b.id = p.id WHERE p.why IS NULL
    ), size AS (
        SELECT count(*) AS people FROM people
    ), groups AS (
        SELECT 'arm' AS division, a AS code,
            (SELECT count(*) FROM people p WHERE p.arm = a) AS number
        FROM unnest(arms) a
        UNION ALL
        SELECT 'class', c, (SELECT count(*) FROM people p WHERE p.class = c)
        FROM unnest(CASE WHEN classes = '{{}}' THEN ARRAY['0', '1', '2', '3', '4', '5', '6', '']
                    ELSE classes::text[] END) c
        UNION ALL
        SELECT 'site', '', count(p.id) FROM {site} s LEFT JOIN people p ON p.site_id = s.id
        WHERE sites = '{{}}' OR s.id = ANY (sites) GROUP BY s.id
    ), rows_of_people AS (
        SELECT 'visits' AS what, v.participant_id AS id
        FROM {visit} v JOIN people p ON p.id = v.participant_id
        UNION ALL
        SELECT 'films', e.participant_id
        FROM {xray} x JOIN {entry} e ON e.id = x.entry_id AND e.form = {films}
        JOIN people p ON p.id = e.participant_id
    )
    SELECT 'included', '', CASE WHEN s.people = 0 THEN 0 ELSE release.told(s.people) END FROM size s
    UNION ALL
    SELECT w.why, '', release.told((SELECT count(*) FROM everyone p WHERE p.why = w.why))
    FROM unnest({reasons}::text[]) w (why)
    UNION ALL
    SELECT w.what, '', (
        SELECT CASE WHEN release.told(count(DISTINCT r.id)) IS NOT NULL
            THEN release.told_rows(s.people, count(*)) END
        FROM rows_of_people r WHERE r.what = w.what)
    FROM unnest(ARRAY['visits', 'films']) w (what) CROSS JOIN size s
    UNION ALL
    SELECT t.* FROM size s CROSS JOIN LATERAL release.told_groups(s.people,
        (SELECT array_agg(division ORDER BY division, code, number) FROM groups),
        (SELECT array_agg(code ORDER BY division, code, number) FROM groups),
        (SELECT array_agg(number ORDER BY division, code, number) FROM groups)) t
$$
""")
ARGUMENTS = "text[], bigint[], date, date, smallint[]"


def statements() -> Iterator[sql.Composable]:
    """The functions, each after those that it calls; ``release_views`` makes what they read."""
    smallest = sql.Literal(SMALLEST)
    yield TOLD.format(smallest=smallest)
    yield TOLD_ROWS
    yield TOLD_GROUPS.format(smallest=smallest)
    yield SHARING_COUNTS.format(
        left_out=LEFT_OUT.format(classes=SQL("classes_of")),
        reasons=sql.Literal(list(REASONS)),
        site=live(Site),
        visit=live(Visit),
        entry=live(FormEntry),
        xray=live(Xray),
        films=sql.Literal(Xray.declaration.code),
    )


def left_out(classes: str) -> sql.Composed:
    """Why a participant is left out, by the view ``classes`` of schema ``release``."""
    return LEFT_OUT.format(classes=sql.Identifier("release", classes))
