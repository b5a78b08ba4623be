"""What no single item holds: worked out over several records of a participant, in sets.

Views of schema ``release`` over the records as of the cut-off; outcomes also over those of now.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from registry.participants.models import Participant
from registry.ulcers.models import PastUlcer, Ulcer, UlcerAssessment
from registry.visits.models import End, Event, FormEntry, LegCheck

from .as_of import as_of, live

SQL = sql.SQL

WORST_OUTCOMES = ("healed", "censored", "amputated", "died")
"""The outcomes of ulcers, the best first."""

# Competing, as ulcers.rules.ulcer_outcome says it: whichever came first. Healed is closed (ulcers.
# rules.course), as of that day, once a look 14 days later or more is closed too, and nothing else
# was seen in between: looks are in one spell while as many open ones stand before them.
ULCER_OUTCOMES = SQL("""
CREATE VIEW release.{view} AS
WITH looks AS (
    SELECT a.ulcer_id, a.assessed_on, bool_and(a.ulcer_status = 'closed') AS closed
    FROM {assessment} a GROUP BY 1, 2
), spells AS (
    SELECT l.*, count(*) FILTER (WHERE NOT closed) OVER (
        PARTITION BY ulcer_id ORDER BY assessed_on) AS spell
    FROM looks l
), ends AS (
    SELECT ulcer_id, 'healed' AS outcome, 0 AS rank, min(assessed_on) AS on_day
    FROM spells WHERE closed GROUP BY ulcer_id, spell
    HAVING max(assessed_on) >= min(assessed_on) + 14
    UNION ALL
    SELECT u.id, 'amputated', 1, r.occurred_on
    FROM {event} r JOIN {entry} e ON e.id = r.entry_id
    JOIN {ulcer} u ON u.participant_id = e.participant_id AND u.limb = r.limb
    WHERE r.kind IN ('amputation_below_knee', 'amputation_above_knee')
    UNION ALL
    SELECT u.id, 'amputated', 1, r.done_on
    FROM {leg_check} r JOIN {entry} e ON e.id = r.entry_id
    JOIN {ulcer} u ON u.participant_id = e.participant_id AND u.limb = e.limb
    WHERE r.leg_status <> 'present'
    UNION ALL
    SELECT u.id, 'died', 2, r.occurred_on
    FROM {event} r JOIN {entry} e ON e.id = r.entry_id
    JOIN {ulcer} u ON u.participant_id = e.participant_id WHERE r.kind = 'death'
    UNION ALL
    SELECT u.id, 'died', 2, r.ended_on
    FROM {end} r JOIN {entry} e ON e.id = r.entry_id
    JOIN {ulcer} u ON u.participant_id = e.participant_id WHERE r.reason = 'died'
)
SELECT u.id, coalesce(first.outcome, 'censored') AS outcome
FROM {ulcer} u LEFT JOIN (
    SELECT DISTINCT ON (ulcer_id) ulcer_id, outcome FROM ends ORDER BY ulcer_id, on_day, rank
) first ON first.ulcer_id = u.id
""")

# Calendar years from the first onset to enrolment.
FIRST_ULCERS = SQL("""
CREATE VIEW release.{view} AS
SELECT p.id, extract(year FROM p.enrolled_on)::int - min(left(o.onset_on, 4)::int) AS years
FROM (SELECT participant_id, onset_on FROM {ulcer}
      UNION ALL SELECT e.participant_id, r.onset_on
      FROM {past_ulcer} r JOIN {entry} e ON e.id = r.entry_id) o
JOIN {participant} p ON p.id = o.participant_id
GROUP BY p.id, p.enrolled_on
""")


def statements() -> Iterator[sql.Composable]:
    """The views."""
    models = {
        "assessment": UlcerAssessment,
        "end": End,
        "entry": FormEntry,
        "event": Event,
        "leg_check": LegCheck,
        "participant": Participant,
        "past_ulcer": PastUlcer,
        "ulcer": Ulcer,
    }
    for name, view, of in (
        ("ulcer_outcomes", ULCER_OUTCOMES, as_of),
        ("ulcer_outcomes_now", ULCER_OUTCOMES, live),
        ("first_ulcers", FIRST_ULCERS, as_of),
    ):
        read = {alias: of(model) for alias, model in models.items()}
        yield view.format(view=sql.Identifier(name), **read)
