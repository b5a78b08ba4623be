"""Derived values of what is not saved yet are those that the database stores."""

from decimal import Decimal

import pytest

from registry.core.derived import derived_of
from registry.core.dictionary import items_of
from registry.crfs.models import Ceap, Laboratory, Vcss
from registry.crfs.vcss import SCORES
from registry.visits.leg_check import LegCheck

from .. import build

pytestmark = pytest.mark.django_db


def test_a_total_needs_every_score():
    scores = dict.fromkeys([*SCORES, "compression"], 2)
    assert derived_of(Vcss, scores) == {"total": 20, "total_without_compression": 18}
    scores.pop("compression")
    assert derived_of(Vcss, scores) == {"total": None, "total_without_compression": 18}
    assert derived_of(Vcss, {}) == {"total": None, "total_without_compression": None}


def test_a_choice_and_a_decimal():
    assert derived_of(Ceap, {"clinical": "C4a"}) == {"clinical_1994": 4}
    assert derived_of(LegCheck, {}) == {}


@pytest.mark.parametrize("sign", ["=", "<"])
def test_it_is_what_would_be_stored(cast, sign):
    values = {
        "calcium_total": Decimal("2.100"),
        "calcium_total_comparator": sign,
        "albumin": Decimal("31.00"),
        "albumin_comparator": "=",
    }
    visit = build.attended(cast.ana, build.participant(cast.ana))
    stored = build.form(cast.ana, visit, "laboratory", **values)
    derived = [name for name, item in items_of(Laboratory).items() if item.derived]
    assert derived_of(Laboratory, values) == {name: getattr(stored, name) for name in derived}
