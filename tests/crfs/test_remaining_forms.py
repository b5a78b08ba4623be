"""The other paper forms: where they are asked, what they work out, what the database takes."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError

from registry.access.scope import user_scope
from registry.core.findings import Level, judge
from registry.crfs.models import Body, Calcinosis, History, Villalta
from registry.crfs.villalta import SIGNS, SYMPTOMS
from registry.visits.actions import VisitError, refresh_onward
from registry.visits.crf import FORMS

from .. import build
from ..imaging import films


@pytest.fixture
def visit(cast):
    return build.attended(cast.ana, build.participant(cast.ana))


def legs_asked(cast, visit):
    with user_scope(cast.ana):
        return sorted(visit.entries.filter(form="villalta").values_list("limb", flat=True))


def test_villalta_is_asked_of_a_leg_with_a_thrombosis_in_the_history(cast, visit):
    assert legs_asked(cast, visit) == []
    build.form(cast.ana, visit, "leg_history", "left", previous_dvt=True, dvt_year=2001)
    build.form(cast.ana, visit, "leg_history", "right")
    assert legs_asked(cast, visit) == ["left"]


def test_villalta_is_asked_of_a_leg_with_a_thrombosis_among_the_events_by_then(cast, visit):
    on = visit.attended_on
    dvt = {"kind": "dvt", "limb": "right"}
    build.row(cast.ana, visit.participant, "event", occurred_on=on + timedelta(days=1), **dvt)
    with user_scope(cast.ana):
        refresh_onward(visit.participant_id, visit.attended_on)
    assert legs_asked(cast, visit) == []
    build.row(cast.ana, visit.participant, "event", occurred_on=on, **dvt)
    with user_scope(cast.ana):
        refresh_onward(visit.participant_id, visit.attended_on)
    assert legs_asked(cast, visit) == ["right"]


def test_villalta_total(cast, visit):
    build.form(cast.ana, visit, "leg_history", "left", previous_dvt=True)
    scores = dict.fromkeys([*SYMPTOMS, *SIGNS], 3)
    record = build.form(cast.ana, visit, "villalta", "left", **scores)
    with user_scope(cast.ana):
        assert Villalta.objects.get(pk=record.pk).total == 33


def test_body_mass_index_at_baseline_and_later(cast, visit):
    build.form(cast.ana, visit, "history", height_cm=Decimal("170"), weight_kg=Decimal("80"))
    later = build.attended(cast.ana, visit.participant, "M12")
    build.form(cast.ana, later, "body", weight_kg=Decimal("90"))
    with user_scope(cast.ana):
        assert History.objects.get().bmi == Decimal("27.7")
        assert Body.objects.get().bmi == Decimal("31.1")


def test_half_of_a_tenth_is_rounded_alike_at_baseline_and_later(cast, visit):
    weight = Decimal("67.2")  # 26.25 kg/m² exactly
    build.form(cast.ana, visit, "history", height_cm=Decimal(160), weight_kg=weight)
    later = build.attended(cast.ana, visit.participant, "M12")
    build.form(cast.ana, later, "body", weight_kg=weight)
    with user_scope(cast.ana):
        assert History.objects.get().bmi == Body.objects.get().bmi == Decimal("26.3")


def test_without_a_height_there_is_no_later_body_mass_index(cast, visit):
    later = build.attended(cast.ana, visit.participant, "M12")
    build.form(cast.ana, later, "body")
    with user_scope(cast.ana):
        assert Body.objects.get().bmi is None


def test_the_type_that_stands_is_the_one_confirmed_or_the_investigators(cast, visit):
    judged = {"basis": "imaging", "override_reason": "a burn in childhood"}
    build.form(
        cast.ana,
        visit,
        "calcinosis",
        "right",
        proposal_confirmed=False,
        overridden_to="dystrophic",
        **judged,
    )
    films.graded(cast.ana, cast.chen, visit, "left", calcification="absent")
    build.form(cast.ana, visit, "calcinosis", "left")
    with user_scope(cast.ana):
        types = dict(Calcinosis.objects.values_list("entry__limb", "calcinosis_type"))
    assert types == {"right": "dystrophic", "left": "none"}


@pytest.mark.parametrize("typed", ["1111", "111111", "11116", "1111a", "11111 "])
def test_an_eq5d_profile_is_five_digits_everywhere(cast, visit, typed):
    items = FORMS["reported_outcomes"].items()
    [finding] = judge(items, {"eq5d_profile": typed, "done_on": 1, "pain_nrs": 1}, {})
    assert (finding.level, finding.item) == (Level.IMPOSSIBLE, "eq5d_profile")
    with pytest.raises(IntegrityError, match="reported_outcomes_eq5d_profile_possible"):
        build.form(cast.ana, visit, "reported_outcomes", eq5d_profile=typed)


@pytest.mark.parametrize(
    ("kind", "missing"), [("anticoagulant_warfarin", ["indication"]), ("vitamin_d", [])]
)
def test_an_indication_is_always_asked_for_warfarin(kind, missing):
    items = FORMS["treatment"].items()
    row = {"kind": kind, "done_on": 1, "started_on": "2024", "ongoing": True}
    assert [one.item for one in judge(items, row, {})] == missing
    assert judge(items, row | {"indication": "calcium"}, {}) == []
    assert judge(items, row, {"indication": "unknown"}) == []


def test_lost_to_follow_up_needs_three_contact_attempts(cast, visit):
    lost = {"ended_on": visit.attended_on, "reason": "lost_to_follow_up"}
    for _ in range(2):
        build.row(cast.ana, visit.participant, "contact", outcome="not_reached")
    with pytest.raises(VisitError, match="there are 2") as refused:
        build.row(cast.ana, visit.participant, "end", **lost)
    assert refused.value.item == "reason"
    build.row(cast.ana, visit.participant, "contact", outcome="not_reached")
    build.row(cast.ana, visit.participant, "end", **lost)


def test_participation_ends_once(cast, visit):
    ended = {"ended_on": visit.attended_on, "reason": "moved"}
    build.row(cast.ana, visit.participant, "end", **ended)
    with pytest.raises(VisitError, match="recorded already"):
        build.row(cast.ana, visit.participant, "end", **ended)
