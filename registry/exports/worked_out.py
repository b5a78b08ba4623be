"""Columns that no single item holds: SQL over a row ``t`` of the table that carries them.

Only finished forms count, as everywhere in a dataset.
"""

from __future__ import annotations

from typing import Final

_FINISHED = (
    "JOIN public.visits_formentry f ON f.id = r.entry_id AND f.state IN ('complete', 'verified')"
)

# ulcers.rules.course: closed is healed once a look 14 days later or more is closed too, and
# nothing else was seen in between.
HEALED: Final = f"""(WITH seen AS (SELECT r.ulcer_status AS status, r.assessed_on AS on_day
        FROM public.ulcers_ulcerassessment r {_FINISHED} WHERE r.ulcer_id = t.id)
    SELECT EXISTS (SELECT FROM seen a JOIN seen b ON b.on_day >= a.on_day + 14
        WHERE a.status = 'closed' AND b.status = 'closed' AND NOT EXISTS
            (SELECT FROM seen o WHERE o.status <> 'closed'
             AND o.on_day BETWEEN a.on_day AND b.on_day)))"""  # noqa: S608

_AMPUTATED = f"""(EXISTS (SELECT FROM public.visits_event r {_FINISHED}
        WHERE f.participant_id = t.participant_id AND r.limb = t.limb
        AND r.kind IN ('amputation_below_knee', 'amputation_above_knee')
        AND r.occurred_on >= t.recorded_on)
    OR EXISTS (SELECT FROM public.visits_legcheck r {_FINISHED}
        WHERE f.participant_id = t.participant_id AND f.limb = t.limb
        AND r.leg_status <> 'present' AND r.done_on >= t.recorded_on))"""  # noqa: S608

_DIED = f"""(EXISTS (SELECT FROM public.visits_event r {_FINISHED}
        WHERE f.participant_id = t.participant_id AND r.kind = 'death')
    OR EXISTS (SELECT FROM public.visits_end r {_FINISHED}
        WHERE f.participant_id = t.participant_id AND r.reason = 'died'))"""  # noqa: S608

ULCER_OUTCOME: Final = (
    f"CASE WHEN {HEALED} THEN 'healed' WHEN {_AMPUTATED} THEN 'amputated'"
    f" WHEN {_DIED} THEN 'died' ELSE 'censored' END"
)
"""The outcome of an ulcer, as :func:`registry.ulcers.rules.ulcer_outcome` says it."""

AGE_AT_FIRST_ULCER: Final = f"""(SELECT t.age_at_enrolment
        - (extract(year FROM t.enrolled_on)::int - min(left(o.onset_on, 4)::int))
    FROM (SELECT r.onset_on FROM public.ulcers_ulcer r WHERE r.participant_id = t.id
        UNION ALL SELECT r.onset_on FROM public.ulcers_pastulcer r {_FINISHED}
        WHERE f.participant_id = t.id) o)"""  # noqa: S608
"""Years of age at the first ulcer recorded or reported, to a year; of a participant."""
