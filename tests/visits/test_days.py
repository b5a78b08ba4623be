"""Days that no record can hold."""

from datetime import date

import pytest

from registry.core.dictionary import date as date_item
from registry.core.dictionary import partial_date, year
from registry.visits.days import impossible_days

ITEMS = {
    "seen_on": date_item("Seen").item,
    "began_on": partial_date("Began").item,
    "burnt": year("Year").item,
}


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("seen_on", date(2026, 5, 10), None),
        ("seen_on", date(2026, 5, 11), "future"),
        ("seen_on", date(1950, 1, 1), None),
        ("seen_on", date(1949, 12, 31), "before_birth"),
        ("seen_on", None, None),
        ("began_on", "2026-05", None),
        ("began_on", "2026-06", "future"),
        ("began_on", "2026", None),
        ("began_on", "2027", "future"),
        ("began_on", "1950", None),
        ("began_on", "1949-12", "before_birth"),
        ("burnt", 2026, None),
        ("burnt", 2027, "future"),
        ("burnt", 1949, "before_birth"),
    ],
)
def test_a_day_in_the_future_or_before_birth_is_impossible(name, value, rule):
    found = list(impossible_days(ITEMS, {name: value}, today=date(2026, 5, 10), birth_year=1950))
    assert [(one.item, one.rule) for one in found] == ([(name, rule)] if rule else [])
