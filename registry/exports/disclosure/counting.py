"""Classes of people who look alike: counted step by step, chosen, and what is then shown of whom.

All of it works on two tables of its session, which are gone before its transaction ends:
``pg_temp.known``, one row a person with what could be known of him, and ``pg_temp.shown``, with his
class and what is left of it. Missing values are values: two people without a site look alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from .declared import NONE, OLDEST, SMALL_SITE

SQL = sql.SQL

# ``people`` are rows ``p`` of release.people or of a view of consent.
KNOWN = SQL("""
    CREATE TEMP TABLE known AS
    SELECT p.id, p.sex, least(p.age, {oldest})::int AS age,
        date_part('year', p.enrolled_on) || '-H' ||
            CASE WHEN date_part('month', p.enrolled_on) <= 6 THEN 1 ELSE 2 END AS period,
        p.site_id AS site, count(*) OVER (PARTITION BY p.site_id) < {small} * k AS small,
        o.major_event, o.ulcer_outcome, o.ended_early
    FROM {people} LEFT JOIN {outcomes} o ON o.id = p.id {where};
""")

# Of the people in classes of fewer than k: so many, and with them the next larger class where they
# are fewer than k themselves, since those without quasi-identifiers are a class too.
MEASURE = SQL("""
CREATE FUNCTION release.measure(people text, columns text, k integer) RETURNS jsonb
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    found record;
BEGIN
    EXECUTE format($sql$
        SELECT count(*) AS classes, sum(size) AS people, min(size) AS smallest,
            count(*) FILTER (WHERE size = 1) AS uniques,
            coalesce(sum(size) FILTER (WHERE size < $1), 0) AS below,
            coalesce(min(size) FILTER (WHERE size >= $1), 0) AS next
        FROM (SELECT count(*) AS size FROM %s GROUP BY %s) c
    $sql$, people, columns) INTO found USING k;
    RETURN jsonb_build_object(
        'classes', found.classes, 'smallest', found.smallest, 'uniques', found.uniques,
        'below', found.below, 'suppressed', found.below
            + CASE WHEN found.below BETWEEN 1 AND k - 1 THEN found.next ELSE 0 END,
        'risk', jsonb_build_object(
            'maximal', round(1.0 / found.smallest, 4),
            'mean', round(found.classes / found.people, 4),
            'at_risk', round(found.below / found.people, 4)));
END $$
""")

COLUMNS = SQL("""
CREATE FUNCTION release.columns_of(step jsonb, template text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT string_agg(format(template, value, key), ', ' ORDER BY key)
    FROM jsonb_each_text(step -> 'columns')
$$
""")

# Classes stand by their size, so that those that are suppressed come first; they are class 0.
SHOW = SQL("""
CREATE FUNCTION release.show(step jsonb, outcomes jsonb, k integer) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format($sql$
        CREATE TEMP TABLE shown AS
        WITH keyed AS MATERIALIZED (
            SELECT *, ROW(%s)::text COLLATE "C" AS key FROM pg_temp.known
        ), classes AS (
            SELECT key, row_number() OVER (ORDER BY size, key) AS class,
                count(*) FILTER (WHERE size < $1) OVER () AS small,
                coalesce(sum(size) FILTER (WHERE size < $1) OVER (), 0) AS below
            FROM (SELECT key, count(*) AS size FROM keyed GROUP BY key) c
        ), kept AS (
            SELECT key, class, class > small + (below BETWEEN 1 AND $1 - 1)::int AS kept
            FROM classes
        )
        SELECT id, CASE WHEN kept THEN class ELSE 0 END::int AS class, %s,
            jsonb_build_object(%s) AS outcomes
        FROM keyed JOIN kept USING (key)
    $sql$, release.columns_of(step, '%s'),
        release.columns_of(step, 'CASE WHEN kept THEN %s END AS %I'),
        (SELECT string_agg(format('%L, %s', o ->> 'outcome', o ->> 'sql'), ', ')
         FROM jsonb_array_elements(outcomes) o)) USING k;
END $$
""")

# l is the number of values in the class that has fewest. Where everybody in a class has an outcome,
# it is told of each of them.
DIVERSITY = SQL("""
CREATE FUNCTION release.diversity(outcome text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('outcome', outcome, 'people', sum(people), 'l', min(l),
        'everybody', count(*) FILTER (WHERE everybody))
    FROM (SELECT count(*) AS l, bool_and(value <> {none}) AS everybody,
              coalesce(sum(size) FILTER (WHERE value <> {none}), 0) AS people
          FROM (SELECT s.class, s.outcomes ->> outcome AS value, count(*) AS size
                FROM pg_temp.shown s GROUP BY 1, 2) v
          GROUP BY class) c);
END $$
""")

# The first step at which no larger share would be suppressed, or if there is none the one at which
# fewest would: that is not always the last, since the class of those suppressed has to be filled.
# Without k people nothing can be shown.
DISCLOSE = SQL("""
CREATE FUNCTION release.disclose(steps jsonb, outcomes jsonb, k integer, share numeric)
RETURNS jsonb LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    everybody bigint := (SELECT count(*) FROM pg_temp.known);
    about jsonb := jsonb_build_object('k', k, 'share', share, 'people', everybody);
    step jsonb;
    taken jsonb;
    found jsonb;
    fewest bigint;
    tried jsonb := '[]';
BEGIN
    IF everybody < k THEN
        RETURN about || '{{"blocked": true}}';
    END IF;
    FOR step IN SELECT jsonb_array_elements(steps) LOOP
        found := release.measure('pg_temp.known', release.columns_of(step, '%s'), k);
        tried := tried || (found || jsonb_build_object('step', step -> 'step'));
        IF fewest IS NULL OR (found -> 'suppressed')::bigint < fewest THEN
            fewest := found -> 'suppressed';
            taken := step;
        END IF;
        EXIT WHEN fewest <= share * everybody;
    END LOOP;
    PERFORM release.show(taken, outcomes, k);
    RETURN about || jsonb_build_object(
        'blocked', false, 'steps', tried, 'step', taken -> 'step', 'before', tried -> 0,
        'suppressed', fewest, 'after', release.measure('pg_temp.shown', 'class', k),
        'outcomes', (SELECT coalesce(jsonb_agg(release.diversity(o ->> 'outcome')), '[]')
                     FROM jsonb_array_elements(outcomes) o));
END $$
""")


def statements() -> Iterator[sql.Composable]:
    """The functions, each after those that it calls."""
    yield MEASURE
    yield COLUMNS
    yield SHOW
    yield DIVERSITY.format(none=sql.Literal(NONE))
    yield DISCLOSE.format()


def known(people: sql.Composable, outcomes: str, where: sql.Composable) -> sql.Composed:
    """:data:`KNOWN` of some people, with a view of outcomes; within a function that knows ``k``."""
    return KNOWN.format(
        people=people,
        outcomes=sql.Identifier("release", outcomes),
        where=where,
        oldest=sql.Literal(OLDEST),
        small=sql.Literal(SMALL_SITE),
    )
