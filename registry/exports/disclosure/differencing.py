"""What a project's releases tell together: pseudonyms are the same in all of them, so they join.

``Included`` keeps of each release who was in it, in which class, and with which outcomes.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from ..as_of import live
from ..models import Dataset, DatasetRequest, Included

SQL = sql.SQL

# All his classes together tell a person apart, and so does being in one release and not in another.
#
# An outcome that is not what it was is one less in a cell and one more in another: whoever heard of
# a death since finds its pseudonym among those of the class to whom that happened. Profiles tell
# outcomes in words of their own, so only releases of one profile are compared there.
COMPARE = SQL("""
CREATE FUNCTION release.compare(earlier bigint[], profile text, k integer) RETURNS jsonb
LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
    releases jsonb;
    joined jsonb;
BEGIN
    CREATE TEMP TABLE sent AS
        SELECT i.dataset_id AS dataset, r.profile, x.id, x.class, x.outcomes
        FROM {included} i JOIN {dataset} d ON d.id = i.dataset_id
        JOIN {request} r ON r.id = d.request_id
        CROSS JOIN LATERAL unnest(i.participants, i.classes, i.outcomes) x (id, class, outcomes)
        WHERE i.dataset_id = ANY (earlier);
    CREATE TEMP TABLE joined AS
        SELECT id, string_agg(dataset || ':' || class, ' ' ORDER BY dataset) AS key
        FROM (SELECT dataset, id, class FROM sent
              UNION ALL SELECT 0, id, class FROM pg_temp.shown) every
        GROUP BY id;
    joined := release.measure('pg_temp.joined', 'key', k);
    SELECT jsonb_agg(jsonb_build_object('dataset', e.dataset, 'added', a.added, 'gone', a.gone,
            'cells', c.cells, 'small', c.small, 'single', c.single) ORDER BY e.dataset)
        INTO releases
        FROM unnest(earlier) e (dataset)
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE s.id IS NULL) AS added,
                count(*) FILTER (WHERE n.id IS NULL) AS gone
            FROM (SELECT sent.id FROM sent WHERE sent.dataset = e.dataset) s
            FULL JOIN pg_temp.shown n ON n.id = s.id
        ) a
        CROSS JOIN LATERAL (
            SELECT count(*) AS cells, count(*) FILTER (WHERE size < k) AS small,
                count(*) FILTER (WHERE size = 1) AS single
            FROM (SELECT count(*) AS size
                  FROM sent s JOIN pg_temp.shown n ON n.id = s.id
                  CROSS JOIN LATERAL jsonb_each(s.outcomes) o
                  WHERE s.dataset = e.dataset AND s.profile = compare.profile
                  AND s.outcomes <> n.outcomes AND o.value <> n.outcomes -> o.key
                  GROUP BY n.class, o.key, o.value, n.outcomes -> o.key) changed
        ) c;
    DROP TABLE sent, joined;
    RETURN jsonb_build_object('releases', coalesce(releases, '[]'), 'joined', joined);
END $$
""")


def statements() -> Iterator[sql.Composable]:
    """The function."""
    yield COMPARE.format(
        included=live(Included), dataset=live(Dataset), request=live(DatasetRequest)
    )
