"""CEAP, VCSS and laboratory: derived values, cross-checks, limits."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.access.scope import user_scope
from registry.crfs.actions import LimitError, set_limits
from registry.crfs.models import Ceap, Laboratory, Vcss
from registry.crfs.rules import ceap as rules
from registry.quality.models import DataQuery
from registry.ulcers.actions import add_ulcer
from registry.visits.actions import VisitError

from .. import build


@pytest.fixture
def visit(cast):
    return build.attended(cast.ana, build.participant(cast.ana))


@pytest.mark.parametrize(
    ("version", "clinical", "number"),
    [
        ("2020", "C0", 0),
        ("2020", "C1", 1),
        ("2020", "C2", 2),
        ("2020", "C2r", 2),
        ("2020", "C3", 3),
        ("1994", "C4", 4),
        ("2004", "C4a", 4),
        ("2020", "C4b", 4),
        ("2020", "C4c", 4),
        ("2020", "C5", 5),
        ("2020", "C6", 6),
        ("2020", "C6r", 6),
    ],
)
def test_the_1994_class(cast, visit, version, clinical, number):
    record = build.form(cast.ana, visit, "ceap", "right", ceap_version=version, clinical=clinical)
    with user_scope(cast.ana):
        assert Ceap.objects.get(pk=record.pk).clinical_1994 == number


@pytest.mark.parametrize(
    ("version", "clinical"),
    [("2020", "C4"), ("2004", "C4"), ("2004", "C4c"), ("1994", "C4a"), ("1994", "C2r")],
)
def test_a_class_of_another_version_is_refused_at_the_item(cast, visit, version, clinical):
    with pytest.raises(VisitError, match=clinical) as refused:
        build.form(cast.ana, visit, "ceap", "right", ceap_version=version, clinical=clinical)
    assert refused.value.item == "clinical"


def test_a_segment_implies_its_system(cast, visit):
    record = build.form(cast.ana, visit, "ceap", "right", anatomy=["POPV", "CPV"])
    assert record.anatomy == ["Ad", "Ap", "POPV", "CPV"]


@given(st.sets(st.sampled_from(sorted(rules.SYSTEM_OF)), min_size=1))
def test_every_segment_names_its_system_and_nothing_is_lost(segments):
    anatomy = rules.with_systems(sorted(segments))
    assert set(anatomy) - {"As", "Ad", "Ap"} == segments
    assert {rules.SYSTEM_OF[segment] for segment in segments} <= set(anatomy)
    assert rules.with_systems(anatomy) == anatomy


@pytest.mark.parametrize(
    ("values", "printed"),
    [
        (
            ("C4b", True, ["Ep"], ["As", "Ad", "GSVa", "FV"], "Pro", "LII"),
            "C4b,s Ep As,d Pr,o (GSVa, FV) LII",
        ),
        (("C0", False, ["En"], ["An"], "Pn", "LI"), "C0,a En An Pn LI"),
        (("C6r", None, None, None, None, None), "C6r"),
        ((None, True, ["Ep"], None, None, None), ""),
    ],
)
def test_printed_ceap(values, printed):
    assert rules.printed_ceap(*values) == printed


def test_vcss_totals_with_and_without_compression(cast, visit):
    values = dict.fromkeys(build.FILLED["vcss"], 3)
    record = build.form(cast.ana, visit, "vcss", "left", ulcer_comment="by report", **values)
    with user_scope(cast.ana):
        stored = Vcss.objects.get(pk=record.pk)
    assert (stored.total, stored.total_without_compression) == (30, 27)


def test_a_vcss_with_an_absence_has_no_total(cast, visit):
    record = build.form(
        cast.ana, visit, "vcss", "left", absent={"compression": "unknown"}, compression=None
    )
    with user_scope(cast.ana):
        stored = Vcss.objects.get(pk=record.pk)
    assert (stored.total, stored.total_without_compression) == (None, 0)


def open_queries(by, rule):
    with user_scope(by):
        return list(DataQuery.objects.unanswered().filter(rule=rule))


def add(cast, visit):
    values = {"location": ["medial_malleolus"], "onset_on": "2020", "ulcer_cause": "venous"}
    with user_scope(cast.ana):
        return add_ulcer(
            by=cast.ana, participant=visit.participant, limb="right", visit=visit, values=values
        )


def test_c6_needs_an_open_ulcer_and_an_open_ulcer_c6(cast, visit):
    build.form(cast.ana, visit, "ceap", "right", clinical="C6")
    assert len(open_queries(cast.ana, "c6_needs_an_open_ulcer")) == 1
    add(cast, visit)
    assert open_queries(cast.ana, "c6_needs_an_open_ulcer") == []
    build.form(cast.ana, visit, "ceap", "right", clinical="C5")
    assert len(open_queries(cast.ana, "open_ulcer_needs_c6")) == 1
    build.form(cast.ana, visit, "ceap", "left", clinical="C5")
    assert len(open_queries(cast.ana, "open_ulcer_needs_c6")) == 1


def test_ulcer_scores_that_differ_need_a_comment(cast, visit):
    add(cast, visit)
    build.form(cast.ana, visit, "vcss", "right")
    assert {query.item for query in open_queries(cast.ana, "ulcer_records_differ")} == {
        "active_ulcers",
        "ulcer_duration",
    }
    build.form(cast.ana, visit, "vcss", "right", ulcer_comment="closed the day before")
    assert open_queries(cast.ana, "ulcer_records_differ") == []


def laboratory(cast, visit, **values):
    record = build.form(cast.ana, visit, "laboratory", **values)
    with user_scope(cast.ana):
        return Laboratory.objects.get(pk=record.pk)


def test_corrected_calcium(cast, visit):
    exact = {"calcium_total_comparator": "=", "albumin_comparator": "="}
    stored = laboratory(cast, visit, calcium_total="2.20", albumin="30", **exact)
    assert stored.calcium_corrected == Decimal("2.400")


def test_a_censored_albumin_corrects_nothing(cast, visit):
    stored = laboratory(
        cast,
        visit,
        calcium_total="2.20",
        albumin="30",
        calcium_total_comparator="=",
        albumin_comparator="<",
    )
    assert stored.calcium_corrected is None


def test_the_laboratorys_limits_of_the_day_are_kept(cast, visit):
    day = visit.attended_on
    with user_scope(cast.ana):
        for valid_from, low in ((day - timedelta(days=99), 1), (day, 2), (day + timedelta(1), 3)):
            set_limits(
                by=cast.ana,
                site=cast.tokyo,
                item="phosphate",
                valid_from=valid_from,
                low=Decimal(low),
                high=Decimal(9),
            )
    stored = laboratory(cast, visit, phosphate="1.1")
    assert (stored.phosphate_ref_low, stored.phosphate_ref_high) == (2, 9)


@pytest.mark.parametrize(("low", "high"), [(None, None), (2, 2), (3, 2)])
def test_impossible_limits_are_refused(cast, low, high):
    with user_scope(cast.ana), pytest.raises(LimitError):
        set_limits(
            by=cast.ana,
            site=cast.tokyo,
            item="phosphate",
            valid_from=cast.tokyo.today,
            low=low,
            high=high,
        )
