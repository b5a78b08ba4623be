"""The report's rules: who counts where."""

from __future__ import annotations

import pytest

from registry.reports.tokoro import Case, report, worst_leg


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ([], (None, None)),
        ([("not_assessable", None)], (None, None)),
        ([("absent", None)], ("absent", None)),
        ([("absent", None), ("not_assessable", None)], ("absent", None)),
        ([("absent", None), ("present", "punctate")], ("present", "punctate")),
        ([("present", "reticular"), ("present", "punctate")], ("present", "reticular")),
        ([("present", "amorphous"), ("present", "punctate")], ("present", "punctate")),
        ([("present", "plate"), ("not_assessable", None)], ("present", "plate")),
    ],
)
def test_a_participant_counts_by_the_worst_leg(legs, expected):
    assert worst_leg(legs) == expected
    assert worst_leg(reversed(legs)) == expected


def test_a_film_without_a_final_grade_is_counted_and_left_out():
    found = report(
        [
            Case("cvi", "female", 60, calcification="present", pattern="punctate"),
            Case("cvi", "female", 61),
            Case("control", "other", 62),
        ]
    )
    assert (found.cvi.n, found.cvi_not_graded, found.controls_not_graded) == (1, 1, 1)
    assert found.controls.n == 0
    assert found.prevalence_controls is None


def test_missing_class_and_duration_leave_their_own_rows_only():
    found = report(
        [
            Case("cvi", "female", 60, duration=3, calcification="present", pattern="other"),
            Case("cvi", "male", 70, ceap=4, calcification="absent"),
        ]
    )
    assert found.calcified.n == 1
    assert found.calcified.ceap is None
    assert found.ceap is None
    assert found.not_calcified.duration is None
    assert found.patterns_cvi == {"punctate": 0, "trabecular": 0, "reticular": 0, "other": 1}
    assert [s.calcified.of if s.calcified else 0 for s in found.by_duration] == [1, 0, 0]


def test_durations_fall_in_half_open_spans():
    cases = [
        Case("cvi", "male", 60, duration=years, calcification="absent")
        for years in (0, 4.99, 5, 9.99, 10, 40)
    ]
    spans = {s.stratum: s.calcified.of for s in report(cases).by_duration if s.calcified}
    assert spans == {"< 5": 2, "5 – < 10": 2, "≥ 10": 2}


def test_nothing_captured():
    empty = report([])
    assert empty.empty
    assert empty.prevalence_fisher is None
    assert empty.duration is None
