"""Rules of readings, by tables, properties, and against the database's own column."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.access.scope import user_scope
from registry.imaging import blinding, rules
from registry.imaging.models import Reading
from registry.imaging.zones import ZONES, zones_seen
from tests import build
from tests.imaging import films

STATES = ["absent", "present", "not_assessable"]
FRONT = zones_seen(["ap"], ["proximal", "middle", "distal"])


def answers(**values: Any) -> dict[str, Any]:
    """A consistent reading of an AP film, without calcification."""
    plain = {zone: "absent" if zone in FRONT else "not_assessable" for zone in ZONES}
    return {"quality": "good", "calcification": "absent"} | plain | values


def broken(**values: Any) -> set[str]:
    return {finding.rule for finding in rules.cross_checks(answers(**values), FRONT)}


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"zone_middle_medial": None}, "zone_open"),
        ({"zone_middle_anterior": "absent"}, "zone_unseen"),
        ({"zone_middle_anterior": None}, "zone_unseen"),
        ({"calcification": "present"}, "present_without_zone"),
        ({"calcification": "present", "phlebolith": True}, "present_without_zone"),
        ({"calcification": "present", "arterial_calcification": True}, "present_without_zone"),
        ({"zone_middle_medial": "present"}, "zone_without_present"),
        (
            {"calcification": "not_assessable", "zone_middle_medial": "present"},
            "zone_without_present",
        ),
        ({"quality": "unreadable"}, "unreadable"),
        (
            {"quality": "unreadable", "calcification": "present", "zone_middle_medial": "present"},
            "unreadable",
        ),
    ],
)
def test_items_that_contradict_each_other(values: dict[str, Any], rule: str) -> None:
    assert broken(**values) == {rule}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"phlebolith": True, "arterial_calcification": True},
        {"calcification": "present", "zone_distal_lateral": "present"},
        {"quality": "unreadable", "calcification": "not_assessable"},
        {"zone_distal_lateral": "not_assessable"},
    ],
)
def test_items_that_agree(values: dict[str, Any]) -> None:
    assert broken(**values) == set()


@given(
    calcification=st.sampled_from(STATES),
    states=st.lists(st.sampled_from(STATES), min_size=6, max_size=6),
)
def test_present_exactly_when_a_zone_is_present(calcification: str, states: list[str]) -> None:
    zones = dict(zip(sorted(FRONT), states, strict=True))
    agrees = (calcification == "present") == ("present" in states)
    assert (broken(calcification=calcification, **zones) == set()) == agrees


@pytest.mark.parametrize(
    ("calcification", "present", "grade"),
    [
        ("absent", 0, 0),
        ("present", 1, 1),
        ("present", 2, 2),
        ("present", 3, 2),
        ("present", 4, 3),
        ("present", 12, 3),
        ("present", 0, None),
        ("not_assessable", 0, None),
        (None, 0, None),
    ],
)
def test_extent(calcification: str | None, present: int, grade: int | None) -> None:
    zones = {zone: "present" if i < present else "absent" for i, zone in enumerate(ZONES)}
    assert rules.extent(calcification, zones) == grade


def test_the_database_computes_the_same_extent(cast: Any) -> None:
    visit = build.attended(cast.ana, build.participant(cast.ana))
    xray = films.study(cast.ana, visit)

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        calcification=st.none() | st.sampled_from(STATES),
        zones=st.fixed_dictionaries({zone: st.none() | st.sampled_from(STATES) for zone in ZONES}),
    )
    def same(calcification: str | None, zones: dict[str, str | None]) -> None:
        same.number = getattr(same, "number", 0) + 1  # type: ignore[attr-defined]
        reading = Reading.objects.create(
            xray=xray,
            reader=cast.chen,
            read_no=same.number,  # type: ignore[attr-defined]
            read_on=date(2026, 1, 1),
            calcification=calcification,
            **zones,
        )
        reading.refresh_from_db()
        assert reading.extent == rules.extent(calcification, zones)

    with user_scope(cast.chen):
        same()


@pytest.mark.parametrize(
    ("calcification", "pattern", "place"),
    [
        ("absent", None, 0),
        ("present", "punctate", 1),
        ("present", "trabecular", 2),
        ("present", "reticular", 2),
        ("present", "amorphous", None),
        ("present", "plate", None),
        ("present", "other", None),
        ("not_assessable", None, None),
    ],
)
def test_the_ordered_scale(calcification: str, pattern: str | None, place: int | None) -> None:
    assert rules.on_scale(calcification, pattern) == place


def test_one_independent_reading_stands_and_several_need_agreement() -> None:
    first = SimpleNamespace(mode="independent", read_no=1, calcification="absent", pattern=None)
    second = SimpleNamespace(mode="independent", read_no=1, calcification="present", pattern=None)
    paired = SimpleNamespace(mode="paired", read_no=2, calcification="present", pattern=None)
    assert rules.final_grade([]) is None
    assert rules.final_grade([paired]) is None
    assert rules.final_grade([paired, first]) is first
    assert rules.final_grade([first, second]) is None


@pytest.mark.parametrize(
    ("views", "thirds", "seen"),
    [
        (["ap"], ["distal"], {"zone_distal_medial", "zone_distal_lateral"}),
        (["lateral"], ["distal"], {"zone_distal_anterior", "zone_distal_posterior"}),
        (["ap", "oblique"], ["distal"], {"zone_distal_medial", "zone_distal_lateral"}),
        (["pa", "lateral"], ["proximal", "middle", "distal"], set(ZONES)),
        (["not_stated"], ["proximal", "middle", "distal"], set(ZONES)),
    ],
)
def test_zones_seen(views: list[str], thirds: list[str], seen: set[str]) -> None:
    assert zones_seen(views, thirds) == seen


@pytest.mark.parametrize(
    ("days", "serves"), [(-91, False), (-90, True), (0, True), (14, True), (15, False)]
)
def test_the_days_a_film_serves(days: int, serves: bool) -> None:
    target = date(2026, 3, 1)
    closes = target + timedelta(days=14)
    assert rules.serves(target + timedelta(days=days), target, closes) is serves


def test_a_readers_key_opens_for_that_reader_only() -> None:
    chen, dora = SimpleNamespace(pk=5), SimpleNamespace(pk=6)
    keys = {blinding.key_of(chen, number) for number in range(200)}  # type: ignore[arg-type]
    assert len(keys) == 200
    for number in (1, 2**40):
        key = blinding.key_of(chen, number)  # type: ignore[arg-type]
        assert blinding.study_of(chen, key) == number  # type: ignore[arg-type]
        assert blinding.study_of(dora, key) is None  # type: ignore[arg-type]
    for wrong in ("", "1", "zz", "00" * 16, "00" * 15, "00" * 32, "½"):
        assert blinding.study_of(chen, wrong) is None  # type: ignore[arg-type]
