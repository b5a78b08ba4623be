"""The sensitive outcomes of each participant: one value each for the whole follow-up."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from registry.ulcers.models import Ulcer
from registry.visits.models import End, Event, FormEntry

from ..as_of import as_of, live
from ..profiles import MAJOR_EVENTS
from ..worked_out import WORST_OUTCOMES

SQL = sql.SQL

# The worst of several; NULL where there was none.
OUTCOMES = SQL("""
CREATE VIEW release.{view} AS
SELECT id, ({events}::text[])[max(event)] AS major_event,
    ({outcomes}::text[])[max(outcome)] AS ulcer_outcome, bool_or(ended_early) AS ended_early
FROM (
    SELECT e.participant_id AS id, array_position({events}, r.kind::text) AS event,
        NULL::int AS outcome, NULL::boolean AS ended_early
    FROM {event} r JOIN {entry} e ON e.id = r.entry_id WHERE r.kind = ANY ({events})
    UNION ALL
    SELECT u.participant_id, NULL, array_position({outcomes}, o.outcome), NULL
    FROM {ulcer} u JOIN release.{ulcer_outcomes} o ON o.id = u.id
    UNION ALL
    SELECT e.participant_id, NULL, NULL, r.reason <> 'completed'
    FROM {end} r JOIN {entry} e ON e.id = r.entry_id
) known GROUP BY id
""")


def statements() -> Iterator[sql.Composable]:
    """The views: as of the cut-off, and now."""
    for suffix, of in (("", as_of), ("_now", live)):
        yield OUTCOMES.format(
            view=sql.Identifier(f"outcomes{suffix}"),
            ulcer_outcomes=sql.Identifier(f"ulcer_outcomes{suffix}"),
            events=sql.Literal(list(MAJOR_EVENTS)),
            outcomes=sql.Literal(list(WORST_OUTCOMES)),
            event=of(Event),
            entry=of(FormEntry),
            ulcer=of(Ulcer),
            end=of(End),
        )
