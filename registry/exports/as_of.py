"""The records as they were at a dataset's cut-off, read from live rows and history in sets.

For each table that a dataset is read from, schema ``release`` holds a view of the same name with
the rows as of the cut-off: the live ones, save those changed since, and these as they were. Which
ones changed is worked out once at the start of a build (:data:`TAKE_BACK`), into
``release.undone``.

A change belongs to the cut-off by the moment its whole transaction began, so that a dataset never
holds half of one. What is not in history (drafts) has no past and is in no dataset.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import models
from psycopg import sql

from registry.audit.models import Change
from registry.imaging.models import Reading
from registry.participants.models import Consent, Participant, Screening
from registry.ulcers.models import Ulcer
from registry.visits.crf import FORMS
from registry.visits.models import FormEntry, Visit

SQL = sql.SQL


def sources() -> list[type[models.Model]]:
    """The tables that datasets are read from. Each is recorded in history."""
    parents = [Screening, Consent, Participant, Visit, FormEntry, Reading, Ulcer]
    return [*parents, *(kind.model for kind in FORMS.values())]


def live(model: type[models.Model]) -> sql.Identifier:
    return sql.Identifier("public", model._meta.db_table)


def as_of(model: type[models.Model]) -> sql.Identifier:
    """The view of a source as of the cut-off."""
    return sql.Identifier("release", model._meta.db_table)


# Only the one transaction of a build ever sees rows in it; builds take turns.
UNDONE = SQL("""
CREATE UNLOGGED TABLE release.undone (
    label text NOT NULL, key bigint NOT NULL, record jsonb, PRIMARY KEY (label, key)
) WITH (autovacuum_enabled = false)
""")

# One look at the history since the cut-off: of each row and item the first old value. The cut-off
# is written into the statement, so that the planner knows how little that is. A row inserted since
# has no record.
TAKE_BACK = SQL("""
CREATE OR REPLACE FUNCTION release.take_back(cut_off timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    TRUNCATE release.undone;
    EXECUTE format($sql$
        INSERT INTO release.undone (label, key, record)
        SELECT label, key, CASE WHEN NOT bool_or(action = 'insert') THEN
            jsonb_object_agg(item, old) || jsonb_build_object('id', key, 'site_id', min(site_id))
            END
        FROM (SELECT DISTINCT ON (c.label, c.key, i.key) c.label, c.key, c.action, c.site_id,
                  i.key AS item, i.value -> 0 AS old
              FROM {change} c CROSS JOIN LATERAL jsonb_each(c.changes) i
              WHERE c.transaction_at >= %L AND c.label IN ({labels})
              ORDER BY c.label, c.key, i.key, c.id) first
        GROUP BY label, key
    $sql$, cut_off);
    ANALYZE release.undone;
    {complete}
    ANALYZE release.undone;
END $$
""")

# What did not change since is as it is now; a row deleted since had all its values in history.
COMPLETE = SQL("""
    UPDATE release.undone u SET record = to_jsonb(t) || u.record FROM {live} t
        WHERE u.label = {label} AND t.id = u.key AND u.record IS NOT NULL;
""")

# NOT IN, and not an anti-join: it is looked up in a hash, which costs nothing while it is empty.
VIEW = SQL("""
CREATE VIEW {as_of} AS
SELECT t.* FROM {live} t
    WHERE t.id NOT IN (SELECT u.key FROM release.undone u WHERE u.label = {label})
UNION ALL
SELECT r.* FROM release.undone u
    CROSS JOIN LATERAL jsonb_populate_record(NULL::{live}, u.record) r
    WHERE u.label = {label} AND u.record IS NOT NULL
""")


def statements() -> Iterator[sql.Composable]:
    """The table, the function that fills it, and a view a source."""
    read = sources()
    yield UNDONE
    yield TAKE_BACK.format(
        change=live(Change),
        labels=SQL(", ").join(_label(model) for model in read),
        complete=SQL("").join(_written(COMPLETE, model) for model in read),
    )
    for model in read:
        yield _written(VIEW, model)


def _written(template: sql.SQL, model: type[models.Model]) -> sql.Composed:
    return template.format(live=live(model), as_of=as_of(model), label=_label(model))


def _label(model: type[models.Model]) -> sql.Literal:
    return sql.Literal(model._meta.label_lower)
