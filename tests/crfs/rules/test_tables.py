"""Tables of the smaller rules: ABPI, Villalta, treatments, history, reviews of logs, EQ-5D."""

from datetime import date
from decimal import Decimal

import pytest

from registry.core.dates import span
from registry.crfs.rules import (
    examination,
    history,
    laboratory,
    logs,
    reported_outcomes,
    treatment,
    villalta,
)


@pytest.mark.parametrize(
    ("value", "comparator", "side"),
    [
        ("0.79", "=", "low"),
        ("0.80", "=", ""),
        ("1.30", "=", ""),
        ("1.31", "=", "high"),
        ("1.30", ">", "high"),
        ("1.20", ">", ""),
        ("0.80", "<", "low"),
        ("0.90", "<", ""),
    ],
)
def test_abpi_outside_its_limits_is_noticed(value, comparator, side):
    abpi = examination.Abpi(Decimal(value), comparator)
    assert (abpi.low, abpi.high) == (side == "low", side == "high")
    assert bool(abpi.notice) == bool(side)


@pytest.mark.parametrize(
    ("abpi", "incompressible", "item"),
    [
        ("1.4", True, None),
        ("1.4", False, "abpi"),
        ("1.4", None, "abpi"),
        ("1.3", None, None),
        ("1.3", False, None),
        ("1.3", True, "incompressible"),
        ("0.5", True, "incompressible"),
        ("0.5", False, None),
        (None, True, None),
    ],
)
def test_a_high_abpi_and_incompressible_arteries_go_together(abpi, incompressible, item):
    index = examination.Abpi(Decimal(abpi)) if abpi else None
    found = [one.item for one in examination.contradictions(index, incompressible)]
    assert found == ([item] if item else [])


@pytest.mark.parametrize(
    ("total", "open_ulcer", "grade"),
    [
        (0, False, "none"),
        (4, False, "none"),
        (5, False, "mild"),
        (9, False, "mild"),
        (10, False, "moderate"),
        (14, False, "moderate"),
        (15, False, "severe"),
        (33, False, "severe"),
        (0, True, "severe"),
        (None, True, "severe"),
        (None, False, None),
    ],
)
def test_villalta_grade(total, open_ulcer, grade):
    assert villalta.grade(total, open_venous_ulcer=open_ulcer) == grade


@pytest.mark.parametrize(
    ("started", "stopped", "wrong"),
    [
        ("2026-05-10", date(2026, 5, 10), False),
        ("2026-05-10", date(2026, 5, 9), True),
        ("2026-05", date(2026, 5, 1), False),
        ("2026-05", date(2026, 4, 30), True),
        ("2026", date(2026, 1, 1), False),
        ("2026", date(2025, 12, 31), True),
        (None, date(2026, 1, 1), False),
        ("2026", None, False),
    ],
)
def test_a_treatment_stops_after_it_may_have_started(started, stopped, wrong):
    assert bool(list(treatment.contradictions(started, stopped))) is wrong


@pytest.mark.parametrize(
    ("started", "ongoing", "stopped", "ran"),
    [
        ("2026-05-02", True, None, False),
        ("2026-05-01", True, None, True),
        ("2026-05", True, None, True),
        ("2026-06", True, None, False),
        ("2025", False, date(2026, 4, 30), False),
        ("2025", False, date(2026, 5, 1), True),
        ("2025", False, None, True),
        (None, True, None, False),
    ],
)
def test_a_treatment_on_the_first_of_may(started, ongoing, stopped, ran):
    assert treatment.may_have_run(started, ongoing, stopped, date(2026, 5, 1)) is ran


@pytest.mark.parametrize(
    ("started", "between"),
    [
        ("2026-02-28", False),
        ("2026-03-01", True),
        ("2026-06-01", True),
        ("2026-06-02", False),
        ("2026-02", False),
        ("2026-03", True),
        ("2026-06", True),
        ("2026", True),
    ],
)
def test_a_treatment_that_may_have_begun_between_march_and_june(started, between):
    assert treatment.may_have_begun(started, date(2026, 3, 1), date(2026, 6, 1)) is between


TOLD = date(2026, 5, 10)


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        ({"previous_ulcer": True}, ["previous_ulcer_not_recorded"]),
        ({"previous_ulcer": True, "past_ulcers": 1}, []),
        ({"previous_ulcer": True, "ulcer_label": "R1"}, []),
        ({"previous_ulcer": False, "past_ulcers": 2}, ["previous_ulcer_denied"]),
        ({"previous_ulcer": False, "ulcer_label": "R1"}, []),
        ({"previous_ulcer": None, "past_ulcers": 2}, []),
        ({"previous_dvt": False, "dvt_on": date(2026, 5, 9)}, ["previous_dvt_denied"]),
        ({"previous_dvt": False, "dvt_on": TOLD}, []),
        ({"previous_dvt": True, "dvt_on": date(2026, 5, 9)}, []),
        ({"previous_dvt": False, "villalta_at": "Baseline"}, ["villalta_without_dvt"]),
        ({"previous_dvt": False, "villalta_at": "M12", "dvt_on": date(2026, 9, 1)}, []),
        ({"previous_dvt": True, "villalta_at": "Baseline"}, []),
    ],
)
def test_what_was_told_of_a_leg(facts, rules):
    leg = history.LegBefore(
        **{"told_on": TOLD, "previous_ulcer": None, "previous_dvt": None, **facts}
    )
    assert [finding.rule for finding in history.contradictions(leg)] == rules


@pytest.mark.parametrize(
    ("dialysis", "since", "wrong"),
    [
        (False, "2026-04", True),
        (False, "2026-05-09", True),
        (False, "2026-05", False),
        (False, "2026-06", False),
        (False, None, False),
        (True, "2026-04", False),
        (None, "2026-04", False),
    ],
)
def test_a_denied_dialysis(dialysis, since, wrong):
    started = span(since) if since else None
    assert bool(list(history.dialysis_contradictions(TOLD, dialysis, started))) is wrong


BEFORE, REVIEW = date(2026, 3, 1), date(2026, 6, 1)


@pytest.mark.parametrize(
    ("answer", "entered", "after", "rule"),
    [
        ("entries_made", [], None, "review_without_entries"),
        ("entries_made", [date(2026, 4, 1)], None, ""),
        ("entries_made", [BEFORE], BEFORE, "review_without_entries"),
        ("entries_made", [REVIEW], BEFORE, ""),
        ("entries_made", [date(2026, 6, 2)], BEFORE, "review_without_entries"),
        ("nothing_new", [date(2026, 4, 1)], BEFORE, "entries_not_reviewed"),
        ("nothing_new", [BEFORE], BEFORE, ""),
        ("nothing_new", [], BEFORE, ""),
        (None, [REVIEW], BEFORE, ""),
    ],
)
def test_a_review_against_the_rows_entered_since_the_last(answer, entered, after, rule):
    found = logs.contradictions("event", "Events", answer, entered, after, REVIEW)
    assert [(one.item, one.rule) for one in found] == ([("event", rule)] if rule else [])


@pytest.mark.parametrize(
    ("profile", "version", "vas", "absent", "items"),
    [
        (None, None, None, set(), []),
        ("21111", "5L", 70, set(), []),
        ("21111", "5L", None, set(), ["eq5d_vas"]),
        ("21111", "5L", None, {"eq5d_vas"}, []),
        ("21111", None, 70, set(), ["eq5d_version"]),
        (None, "5L", 0, set(), ["eq5d_profile"]),
        (None, "5L", None, set(), []),
        ("21141", "3L", 70, set(), ["eq5d_profile"]),
        ("21131", "3L", 70, set(), []),
    ],
)
def test_eq5d_belongs_together(profile, version, vas, absent, items):
    found = reported_outcomes.contradictions(profile, version, vas, frozenset(absent))
    assert [finding.item for finding in found] == items


@pytest.mark.parametrize(
    ("corrected", "confirmed", "asked"),
    [
        (None, (), False),
        ("1.80", (), False),
        ("3.00", (), False),
        ("3.01", (), True),
        ("1.79", (), True),
        ("3.01", ("calcium_total",), False),
        ("3.01", ("albumin",), False),
        ("3.01", ("crp",), True),
    ],
)
def test_an_unusual_corrected_calcium(corrected, confirmed, asked):
    value = Decimal(corrected) if corrected else None
    measured = ("calcium_total", "albumin")
    found = list(laboratory.contradictions(value, (1.8, 3.0), measured, confirmed))
    assert [one.item for one in found] == (["calcium_total"] if asked else [])
