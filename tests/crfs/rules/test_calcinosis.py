"""The proposed type of calcinosis: every branch, and which comes first."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.crfs.rules.calcinosis import Evidence, Measured, proposed, sample_for

HIGH, NORMAL = (
    Measured(Decimal("3.1"), "=", Decimal("2.6")),
    Measured(Decimal("2.3"), "=", Decimal("2.6")),
)
NORMAL_LABS = {"calcium": NORMAL, "phosphate": NORMAL}

# Each match in the order of the protocol; a leg that meets several is of the first.
MATCHES = [
    ("calciphylaxis", {"vessel_wall_calcification": True, "skin_necrosis": True}),
    ("iatrogenic", {"parenteral": True}),
    ("metastatic", {"phosphate": HIGH}),
    ("indeterminate", {"dialysis": True}),
    ("dystrophic", {"advanced_cvi": True}),
    ("idiopathic", {}),
]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"calcified": None}, None),
        ({"calcified": False}, "none"),
        ({"vessel_wall_calcification": True, "skin_necrosis": True}, "calciphylaxis"),
        ({"vessel_wall_calcification": True}, "idiopathic"),
        ({"skin_necrosis": True}, "idiopathic"),
        ({"parenteral": True}, "iatrogenic"),
        (
            {
                "extravasation_zones": frozenset({"distal_medial"}),
                "calcified_zones": frozenset({"distal_medial", "middle_medial"}),
                "local_damage": True,
            },
            "iatrogenic",
        ),
        (
            {
                "extravasation_zones": frozenset({"proximal_medial"}),
                "calcified_zones": frozenset({"distal_medial"}),
                "local_damage": True,
            },
            "dystrophic",
        ),
        ({"calcium": HIGH}, "metastatic"),
        ({"phosphate": HIGH}, "metastatic"),
        ({"calcium": HIGH, "phosphate": None}, "metastatic"),
        ({"calcium": None, "phosphate": HIGH, "dialysis": True}, "metastatic"),
        ({"calcium": HIGH, "local_damage": True}, "mixed"),
        ({"calcium": HIGH, "connective_tissue": True, "advanced_cvi": True}, "metastatic"),
        ({"calcium": None}, "indeterminate"),
        ({"phosphate": None}, "indeterminate"),
        ({"phosphate": None, "advanced_cvi": True}, "indeterminate"),
        ({"dialysis": True}, "indeterminate"),
        ({"dialysis": True, "local_damage": True}, "indeterminate"),
        ({"local_damage": True}, "dystrophic"),
        ({"connective_tissue": True}, "dystrophic"),
        ({"advanced_cvi": True}, "dystrophic"),
        ({}, "idiopathic"),
    ],
)
def test_the_first_match_counts(facts, expected):
    assert proposed(Evidence(**{"calcified": True, **NORMAL_LABS, **facts})) == expected


@given(st.sets(st.sampled_from(range(len(MATCHES))), min_size=1))
def test_of_several_matches_the_first_in_the_protocols_order_wins(met):
    facts = {name: value for number in met for name, value in MATCHES[number][1].items()}
    expected = MATCHES[min(met)][0]
    assert proposed(Evidence(**{"calcified": True, **NORMAL_LABS, **facts})) == expected


flags = st.booleans()
zones = st.frozensets(st.sampled_from(["distal_medial", "middle_medial"]))
measured = st.none() | st.builds(
    Measured,
    st.decimals("0.5", "6", places=2),
    st.sampled_from("=<>"),
    st.none() | st.decimals("1", "3", places=2),
)
legs = st.builds(
    Evidence,
    st.booleans(),
    zones,
    flags,
    flags,
    flags,
    zones,
    measured,
    measured,
    flags,
    flags,
    flags,
    flags,
)


@given(legs)
def test_without_calcification_nothing_else_matters(leg):
    assert proposed(replace(leg, calcified=False)) == "none"
    assert proposed(replace(leg, calcified=True)) not in ("none", None)


@given(legs)
def test_no_calcification_is_called_dystrophic_or_idiopathic_without_normal_laboratory(leg):
    if proposed(leg) in ("dystrophic", "idiopathic"):
        assert leg.calcium
        assert leg.calcium.above is False
        assert leg.phosphate
        assert leg.phosphate.above is False
        assert not leg.dialysis


@pytest.mark.parametrize(
    ("value", "comparator", "ref_high", "above"),
    [
        ("2.7", "=", "2.6", True),
        ("2.6", "=", "2.6", False),
        ("2.5", "=", "2.6", False),
        ("2.6", ">", "2.6", True),
        ("2.5", ">", "2.6", None),
        ("2.6", "<", "2.6", False),
        ("2.7", "<", "2.6", None),
        ("2.7", "=", None, None),
    ],
)
def test_above_the_laboratorys_limit(value, comparator, ref_high, above):
    limit = Decimal(ref_high) if ref_high else None
    assert Measured(Decimal(value), comparator, limit).above is above


@dataclass
class Sample:
    sampled_on: date | None


FILM = date(2026, 5, 1)


@pytest.mark.parametrize(
    ("days", "nearest"),
    [
        ([], None),
        ([91], None),
        ([-91], None),
        ([-90], -90),
        ([90], 90),
        ([-30, 29, 60], 29),
        ([-20, 20], 20),
        ([None, 5], 5),
    ],
)
def test_the_laboratory_within_90_days_of_the_film(days, nearest):
    samples = [Sample(None if day is None else FILM + timedelta(days=day)) for day in days]
    found = sample_for(FILM, samples)
    assert (found and found.sampled_on) == (
        None if nearest is None else FILM + timedelta(days=nearest)
    )
