"""What ends an ulcer's course besides healing, from the two places that tell it."""

from datetime import timedelta

import pytest

from registry.access.scope import user_scope
from registry.visits.losses import died_on, legs_lost

from .. import build


@pytest.fixture
def participant(cast):
    return build.participant(cast.ana)


def test_a_leg_is_lost_by_event_or_by_leg_check_whichever_was_first(cast, participant):
    baseline = build.attended(cast.ana, participant)
    on = baseline.attended_on
    row = {"occurred_on": on + timedelta(days=60), "limb": "right"}
    build.row(cast.ana, participant, "event", kind="amputation_above_knee", **row)
    build.row(cast.ana, participant, "event", kind="amputation_foot", **row | {"limb": "left"})
    with user_scope(cast.ana):
        assert legs_lost(participant.pk) == {"right": on + timedelta(days=60)}
    build.form(cast.ana, baseline, "leg_check", "right", leg_status="amputated_below_knee")
    build.form(cast.ana, baseline, "leg_check", "left")
    with user_scope(cast.ana):
        assert legs_lost(participant.pk) == {"right": on}


def test_death_is_told_by_event_or_by_the_end(cast, participant):
    with user_scope(cast.ana):
        assert died_on(participant.pk) is None
    on = participant.enrolled_on + timedelta(days=90)
    build.row(cast.ana, participant, "end", ended_on=on, reason="died")
    with user_scope(cast.ana):
        assert died_on(participant.pk) == on
    earlier = on - timedelta(days=1)
    build.row(cast.ana, participant, "event", kind="death", occurred_on=earlier)
    with user_scope(cast.ana):
        assert died_on(participant.pk) == earlier
