"""CEAP classes against the records of the leg: a table, and the mapping to 1994."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.crfs.rules.ceap import (
    CLASSES,
    SKIN_CHANGES,
    LegRecords,
    advanced,
    c4c_alone,
    class_1994,
    contradictions,
    worst_leg,
)

OPEN, CLOSED, PAST = {"open_ulcers": ["R1"]}, {"closed_ulcers": ["R1"]}, {"past_ulcer": True}
FELL = {"previous_class": "C4b", "previous_place": "Baseline, 3 Apr 2026"}


@pytest.mark.parametrize(
    ("clinical", "records", "rules"),
    [
        ("C0", {}, set()),
        ("C4b", {}, set()),
        ("C6", {}, {"c6_needs_an_open_ulcer"}),
        ("C6", OPEN, set()),
        ("C6r", OPEN, {"c6r_needs_an_earlier_ulcer"}),
        ("C6r", OPEN | CLOSED, set()),
        ("C6r", OPEN | PAST, set()),
        ("C6r", PAST, {"c6_needs_an_open_ulcer"}),
        ("C6r", {}, {"c6_needs_an_open_ulcer", "c6r_needs_an_earlier_ulcer"}),
        ("C3", OPEN, {"open_ulcer_needs_c6"}),
        ("C5", CLOSED, set()),
        ("C5", PAST, set()),
        ("C5", {}, {"c5_needs_a_closed_ulcer"}),
        ("C5", CLOSED | OPEN, {"open_ulcer_needs_c6"}),
        ("C5", OPEN, {"open_ulcer_needs_c6", "c5_needs_a_closed_ulcer"}),
        ("C2r", {}, {"c2r_needs_an_earlier_treatment"}),
        ("C2r", {"venous_treatment": True}, set()),
        ("C3", FELL, {"class_fell_untreated"}),
        ("C3", FELL | {"treated_since": True}, set()),
        ("C4a", FELL, set()),
        ("C0", FELL | {"previous_class": "C6r"}, {"class_fell_untreated"}),
        ("C0", FELL | {"previous_class": "C3"}, set()),
    ],
)
def test_cross_checks(clinical, records, rules):
    found = list(contradictions(clinical, LegRecords(**records)))
    assert {finding.rule for finding in found} == rules
    assert {finding.item for finding in found} <= {"clinical"}


def test_a_finding_names_both_places():
    (fell,) = contradictions("C2", LegRecords(**FELL))
    assert "C2 after C4b (Baseline, 3 Apr 2026)" in fell.message
    (open_one,) = contradictions("C4a", LegRecords(open_ulcers=["R1", "R3"]))
    assert "C4a" in open_one.message
    assert "R1, R3" in open_one.message


@given(st.sampled_from(CLASSES), st.dictionaries(st.sampled_from(SKIN_CHANGES), st.booleans()))
def test_c4c_counts_as_advanced_only_with_another_change_of_the_skin(clinical, skin):
    assert c4c_alone(clinical, skin) == (clinical == "C4c" and True not in skin.values())
    assert advanced(clinical, skin) == (class_1994(clinical) >= 4 and not c4c_alone(clinical, skin))


def test_no_class_is_not_advanced():
    assert not advanced(None, {})


@pytest.mark.parametrize(
    ("right", "left", "worst"),
    [
        ("C6", "C5", "right"),
        ("C4b", "C4c", "left"),
        ("C6", "C6r", "left"),
        ("C2", "C2", "right"),
        (None, "C0", "left"),
        (None, None, None),
    ],
)
def test_the_worst_leg(right, left, worst):
    assert worst_leg({"right": right, "left": left}) == worst
