"""Recording, assessing and correcting ulcers: what is stored, asked for, refused and queried."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.core.errors import RefusedError
from registry.participants.actions import ParticipantError, withdraw_consent
from registry.quality.models import DataQuery
from registry.ulcers.actions import add_ulcer, correct_ulcer
from registry.ulcers.assessment import UlcerError
from registry.ulcers.models import Ulcer
from registry.ulcers.rules import State
from registry.visits.actions import add_unscheduled_visit, correct_attendance, save_draft
from registry.visits.models import FormEntry, Visit

from .. import build
from ..people import make_cast
from .build import assessed, ulcer

VALUES = {"location": ["foot"], "onset_on": "2020", "ulcer_cause": "venous"}


@pytest.fixture
def baseline(cast: SimpleNamespace) -> Visit:
    return build.attended(cast.ana, build.participant(cast.ana))


def columns(by: Any, visit: Visit) -> list[tuple[str, str]]:
    with user_scope(by):
        entries = FormEntry.objects.filter(visit=visit, form="ulcers")
        return list(entries.order_by("occurrence").values_list("occurrence", "state"))


def queries(by: Any, visit: Visit) -> set[tuple[str, str]]:
    with user_scope(by):
        found = DataQuery.objects.filter(participant_no=visit.participant_id)
        return set(found.exclude(state="closed").values_list("item", "rule"))


def test_labels_count_up_on_each_leg(cast: SimpleNamespace, baseline: Visit) -> None:
    labels = [ulcer(cast.ana, baseline, limb).label for limb in ("right", "left", "right", "right")]
    assert labels == ["R1", "L1", "R2", "R3"]
    assert columns(cast.ana, baseline) == [
        ("L1", "empty"),
        ("R1", "empty"),
        ("R2", "empty"),
        ("R3", "empty"),
    ]


def test_an_ulcer_belongs_to_the_site_and_to_history(
    cast: SimpleNamespace, baseline: Visit
) -> None:
    one = ulcer(cast.ana, baseline)
    with user_scope(cast.ana):
        stored = Ulcer.objects.get(pk=one.pk)
        assert stored.site_id == cast.tokyo.pk
        assert stored.recorded_on == baseline.attended_on
        change = Change.objects.get(label="ulcers.ulcer", key=one.pk)
        assert (change.action, change.by_id) == ("insert", cast.ana.pk)
    with user_scope(cast.ben):
        assert not Ulcer.objects.filter(pk=one.pk).exists()


@pytest.mark.parametrize(
    ("values", "item"),
    [({"onset_on": "2999"}, "onset_on"), ({"onset_on": "1929-12-31"}, "onset_on")],
)
def test_an_impossible_onset_is_refused(
    cast: SimpleNamespace, baseline: Visit, values: dict[str, str], item: str
) -> None:
    with pytest.raises(UlcerError) as refused:
        ulcer(cast.ana, baseline, **values)
    assert refused.value.item == item
    with user_scope(cast.ana):
        assert not Ulcer.objects.exists()


def test_a_partial_onset_is_refused_only_when_every_day_is_impossible(
    cast: SimpleNamespace, baseline: Visit
) -> None:
    assert baseline.attended_on
    one = ulcer(cast.ana, baseline, onset_on=f"{baseline.attended_on:%Y-%m}")
    assert one.onset.last == baseline.attended_on
    after = baseline.attended_on + timedelta(days=1)
    with pytest.raises(UlcerError):
        ulcer(cast.ana, baseline, onset_on=after.isoformat())


def test_no_ulcer_without_a_date_consent_or_form(cast: SimpleNamespace, baseline: Visit) -> None:
    participant = baseline.participant
    with user_scope(cast.ana):
        planned = Visit.objects.get(participant=participant, code="M03")
    about: dict[str, Any] = {"by": cast.ana, "participant": participant, "values": VALUES}
    with user_scope(cast.ana), pytest.raises(UlcerError, match="visit's date"):
        add_ulcer(**about, limb="right", visit=planned)
    with user_scope(cast.ana), pytest.raises(UlcerError, match="which leg"):
        add_ulcer(**about, limb="both", visit=baseline)
    control = build.attended(cast.ana, build.participant(cast.ana, arm="control"))
    with pytest.raises(UlcerError, match="arm"):
        ulcer(cast.ana, control)
    with user_scope(cast.ana), pytest.raises(UlcerError, match="another participant"):
        add_ulcer(**about, limb="right", visit=control)
    with user_scope(cast.ana):
        withdraw_consent(
            by=cast.ana,
            participant=participant,
            on=participant.site.today,
            scope="stop_collection",
        )
    with pytest.raises(ParticipantError):
        ulcer(cast.ana, baseline)


def test_an_ulcer_moves_with_the_corrected_day_of_the_visit_it_was_first_seen_at(
    cast: SimpleNamespace, baseline: Visit
) -> None:
    """Else its column would vanish from the very visit at which it was seen."""
    assert baseline.attended_on
    visit = build.attended(cast.ana, baseline.participant, "M03")
    assert visit.attended_on
    one = ulcer(cast.ana, visit)
    for days in (-5, 3):
        on = visit.attended_on + timedelta(days=days)
        with user_scope(cast.ana):
            correct_attendance(by=cast.ana, visit=visit, on=on, reason="misread")
            one.refresh_from_db()
            assert one.recorded_on == on
            change = Change.objects.filter(label="ulcers.ulcer", key=one.pk).latest("id")
            assert change.reason == "misread"
        assert columns(cast.ana, visit) == [("R1", "empty")]
    assert columns(cast.ana, baseline) == []


def test_an_ulcer_stays_with_the_earliest_visit_that_saw_it(
    cast: SimpleNamespace, baseline: Visit
) -> None:
    assert baseline.attended_on
    one = ulcer(cast.ana, baseline)
    with user_scope(cast.ana):
        same_day = add_unscheduled_visit(
            by=cast.ana,
            participant=baseline.participant,
            on=baseline.attended_on,
            forms=["ulcers"],
        )
        for visit in (same_day, baseline):
            later = visit.attended_on + timedelta(days=20)
            correct_attendance(by=cast.ana, visit=visit, on=later, reason="misread")
            one.refresh_from_db()
            assert one.recorded_on == min(same_day.attended_on, baseline.attended_on)
        assessed(cast.ana, same_day, one)
        correct_attendance(
            by=cast.ana,
            visit=baseline,
            on=baseline.attended_on + timedelta(days=30),
            reason="misread",
        )
        one.refresh_from_db()
        assert one.recorded_on == same_day.attended_on


def test_a_locked_visit_takes_no_new_ulcer(cast: SimpleNamespace, baseline: Visit) -> None:
    with user_scope(cast.ana):
        FormEntry.objects.filter(visit=baseline).update(state="complete")
        build.locked(cast.hiro, baseline)
    with pytest.raises(UlcerError, match="locked"):
        ulcer(cast.ana, baseline)


def test_columns_follow_the_course(cast: SimpleNamespace, baseline: Visit) -> None:
    ana, participant = cast.ana, baseline.participant
    healing, other = ulcer(ana, baseline), ulcer(ana, baseline)
    assessed(ana, baseline, healing)
    m03 = build.attended(ana, participant, "M03")
    assessed(ana, m03, healing, "closed")
    m06 = build.attended(ana, participant, "M06")
    assert columns(ana, m06) == [("R1", "empty"), ("R2", "empty")]
    assessed(ana, m06, healing, "closed")
    assert columns(ana, m06) == [("R1", "complete"), ("R2", "empty")]  # confirmed here: kept
    assert m06.attended_on
    m12 = build.attended(ana, participant, "M12", m06.attended_on + timedelta(days=180))
    assert columns(ana, m12) == [("R2", "empty")]
    assessed(ana, m12, other, "merged", merged_into=" r1 ")
    with user_scope(ana):
        assert healing.course().state == State.HEALED
        assert healing.course().healed_on == m03.attended_on
        assert other.course().merged_into == "R1"


def test_a_late_ulcer_reaches_later_visits(cast: SimpleNamespace, baseline: Visit) -> None:
    m03 = build.attended(cast.ana, baseline.participant, "M03")
    one = ulcer(cast.ana, baseline)
    assert columns(cast.ana, m03) == [("R1", "empty")]
    ulcer(cast.ana, m03)
    assert columns(cast.ana, baseline) == [("R1", "empty")]
    with user_scope(cast.ana):
        draft = FormEntry.objects.get(visit=m03, occurrence=one.label)
        save_draft(by=cast.ana, entry=draft, raw={"x": ["1"]}, revision=0)
    assessed(cast.ana, baseline, one)
    assert columns(cast.ana, m03) == [("R1", "draft"), ("R2", "empty")]


def test_late_healing_ends_the_empty_columns_of_later_visits(
    cast: SimpleNamespace, baseline: Visit
) -> None:
    one = ulcer(cast.ana, baseline)
    m03 = build.attended(cast.ana, baseline.participant, "M03")
    m06 = build.attended(cast.ana, baseline.participant, "M06")
    assert columns(cast.ana, m06) == [("R1", "empty")]
    assessed(cast.ana, baseline, one, "closed")
    assessed(cast.ana, m03, one, "closed")
    assert columns(cast.ana, m06) == []


def test_an_assessment_knows_its_ulcer_and_its_area(cast: SimpleNamespace, baseline: Visit) -> None:
    ulcer(cast.ana, baseline)
    second = ulcer(cast.ana, baseline)
    record = assessed(cast.ana, baseline, second)
    with user_scope(cast.ana):
        record.refresh_from_db()
        assert record.ulcer_id == second.pk
        assert f"{record.area_mm2:.1f}" == "471.2"  # π/4 × 30 × 20


@pytest.mark.parametrize(
    ("days", "refused"), [(-7, False), (7, False), (-8, True), (8, True), (400, True)]
)
def test_an_assessment_lies_around_its_visit(
    cast: SimpleNamespace, baseline: Visit, days: int, refused: bool
) -> None:
    one = ulcer(cast.ana, baseline)
    assert baseline.attended_on
    on = baseline.attended_on + timedelta(days=days)
    if not refused:
        assert assessed(cast.ana, baseline, one, assessed_on=on).assessed_on == on
        return
    with pytest.raises(UlcerError) as error:
        assessed(cast.ana, baseline, one, assessed_on=on)
    assert error.value.item == "assessed_on"
    assert columns(cast.ana, baseline) == [("R1", "empty")]


def test_an_assessment_lies_neither_in_the_future_nor_before_the_onset(
    cast: SimpleNamespace,
) -> None:
    today = cast.tokyo.today
    visit = build.attended(cast.ana, build.participant(cast.ana, enrolled_on=today))
    one = ulcer(cast.ana, visit, onset_on=today.isoformat())
    for days, words in ((1, "future"), (-1, "before the onset")):
        with pytest.raises(RefusedError, match=words) as refused:
            assessed(cast.ana, visit, one, assessed_on=today + timedelta(days=days))
        assert refused.value.item == "assessed_on"


@pytest.mark.parametrize("into", ["R1", "L1", "R9", ""])
def test_an_ulcer_merges_only_into_another_of_its_leg(
    cast: SimpleNamespace, baseline: Visit, into: str
) -> None:
    one = ulcer(cast.ana, baseline)
    ulcer(cast.ana, baseline, "left")
    with pytest.raises(UlcerError) as refused:
        assessed(cast.ana, baseline, one, "merged", merged_into=into)
    assert refused.value.item == "merged_into"


def test_two_ulcers_cannot_merge_into_each_other(cast: SimpleNamespace, baseline: Visit) -> None:
    one, two = ulcer(cast.ana, baseline), ulcer(cast.ana, baseline)
    assessed(cast.ana, baseline, one, "merged", merged_into="R2")
    with pytest.raises(UlcerError, match="itself merged"):
        assessed(cast.ana, baseline, two, "merged", merged_into="R1")


def test_a_correction_needs_a_reason_and_leaves_history(
    cast: SimpleNamespace, baseline: Visit
) -> None:
    one = ulcer(cast.ana, baseline)
    values = VALUES | {"ulcer_cause": "mixed"}
    with user_scope(cast.ana), pytest.raises(UlcerError) as refused:
        correct_ulcer(by=cast.ana, ulcer=one, values=values, reason=" ")
    assert refused.value.item == "reason"
    with user_scope(cast.ana):
        correct_ulcer(by=cast.ana, ulcer=one, values=values, reason="misread the letter")
        stored = Ulcer.objects.get(pk=one.pk)
        assert (stored.label, stored.ulcer_cause, stored.location) == ("R1", "mixed", ["foot"])
        change = Change.objects.filter(label="ulcers.ulcer", key=one.pk).last()
        assert change
        assert change.reason == "misread the letter"
        assert change.changes["ulcer_cause"] == ["venous", "mixed"]


def test_a_corrected_onset_lies_before_every_assessment(
    cast: SimpleNamespace, baseline: Visit
) -> None:
    assert baseline.attended_on
    one = ulcer(cast.ana, baseline)
    early = baseline.attended_on - timedelta(days=3)
    assessed(cast.ana, baseline, one, assessed_on=early)
    onset = (early + timedelta(days=1)).isoformat()
    with user_scope(cast.ana), pytest.raises(UlcerError) as refused:
        correct_ulcer(by=cast.ana, ulcer=one, values=VALUES | {"onset_on": onset}, reason="typo")
    assert refused.value.item == "onset_on"


def test_the_leg_check_is_held_against_the_ulcers(cast: SimpleNamespace, baseline: Visit) -> None:
    ana = cast.ana
    missing = ("any_open_ulcer", "open_ulcer_missing")
    denied = ("any_open_ulcer", "open_ulcer_denied")
    build.form(ana, baseline, "leg_check", "right", any_open_ulcer=True)
    assert queries(ana, baseline) == {missing}
    one = ulcer(ana, baseline)
    assert queries(ana, baseline) == set()  # it waits for the assessment
    assessed(ana, baseline, one, "closed")
    assert queries(ana, baseline) == {missing}
    assessed(ana, baseline, one, closure_by=None)
    assert queries(ana, baseline) == set()
    build.form(ana, baseline, "leg_check", "right", any_open_ulcer=False)
    assert queries(ana, baseline) == {denied}
    build.form(ana, baseline, "leg_check", "left", any_open_ulcer=False)
    assert queries(ana, baseline) == {denied}  # the other leg has none


def test_a_controls_leg_check_asks_for_no_ulcer_record(cast: SimpleNamespace) -> None:
    control = build.attended(cast.ana, build.participant(cast.ana, arm="control"))
    build.form(cast.ana, control, "leg_check", "right", any_open_ulcer=True)
    assert queries(cast.ana, control) == set()


def test_two_methods_within_one_ulcer_open_a_query(cast: SimpleNamespace, baseline: Visit) -> None:
    one = ulcer(cast.ana, baseline)
    assessed(cast.ana, baseline, one)
    m03 = build.attended(cast.ana, baseline.participant, "M03")
    assessed(cast.ana, m03, one, area_method="photo", area_measured_mm2=400)
    assert queries(cast.ana, m03) == {("area_method", "area_method_changed")}
    assessed(cast.ana, m03, one, area_method="ruler_ellipse", area_measured_mm2=None)
    assert queries(cast.ana, m03) == set()


def test_courses_cost_the_same_however_many_ulcers(
    cast: SimpleNamespace, baseline: Visit, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        assessed(cast.ana, baseline, ulcer(cast.ana, baseline))
    with user_scope(cast.ana), django_assert_num_queries(2):
        found = list(Ulcer.objects.of_leg(baseline.participant, "right"))
        assert [one.course().state for one in found] == [State.OPEN] * 3
        assert [one.participant.site.prefix for one in found] == ["TKY"] * 3


def test_two_users_at_the_same_time_get_two_labels(committed: None) -> None:
    cast = make_cast()
    visit = build.attended(cast.ana, build.participant(cast.ana))
    start = threading.Barrier(2)

    def record(user: Any) -> None:
        try:
            start.wait(timeout=10)
            ulcer(user, visit)
        finally:
            connection.close()

    threads = [threading.Thread(target=record, args=(user,)) for user in (cast.ana, cast.hiro)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    with user_scope(cast.ana):
        assert sorted(Ulcer.objects.values_list("label", flat=True)) == ["R1", "R2"]
