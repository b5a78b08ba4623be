"""The one judge: what is impossible, unusual and missing, item by item."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import dictionary as d
from registry.core.findings import Level, judge

ITEMS = {
    name: column.item
    for name, column in {
        "calcium": d.number(
            "Total calcium",
            unit="mmol/L",
            also={"mg/dL": 0.2495},
            possible=(0.5, 6),
            expected=(1.8, 3.0),
            places=3,
            required=True,
        ),
        "onset": d.year("Year of onset", possible=(1900, 2200)),
        "pain": d.score("Pain", ["none", "some", "much"]),
        "cause": d.choice("Cause", ["venous", "other"], required=True),
        "other": d.text("Which other", when={"cause": "other"}, required=True),
        "anatomy": d.multi("Anatomy", ["As", "Ad", ("An", "An none found")], alone="An"),
    }.items()
}
GOOD = {"calcium": Decimal("2.400"), "cause": "venous"}


def found(values=(), absent=(), confirmed=()):
    findings = judge(ITEMS, GOOD | dict(values), dict(absent), dict(confirmed))
    return [(one.level.value, one.item) for one in findings]


@pytest.mark.parametrize(
    ("values", "absent", "findings"),
    [
        ({}, {}, []),
        ({"calcium": Decimal("0.500")}, {}, [("unusual", "calcium")]),
        ({"calcium": Decimal("0.499")}, {}, [("impossible", "calcium")]),
        ({"calcium": Decimal("1.799")}, {}, [("unusual", "calcium")]),
        ({"calcium": Decimal("1.800")}, {}, []),
        ({"calcium": Decimal("3.000")}, {}, []),
        ({"calcium": Decimal("3.001")}, {}, [("unusual", "calcium")]),
        ({"calcium": Decimal("6.000")}, {}, [("unusual", "calcium")]),
        ({"calcium": Decimal("6.001")}, {}, [("impossible", "calcium")]),
        ({"calcium": None}, {}, [("missing", "calcium")]),
        ({"calcium": None}, {"calcium": "not_done"}, []),
        ({}, {"calcium": "not_done"}, [("impossible", "calcium")]),
        ({"onset": 1899}, {}, [("impossible", "onset")]),
        ({"pain": 0}, {}, []),
        ({"pain": 2}, {}, []),
        ({"pain": 3}, {}, [("impossible", "pain")]),
        ({"pain": -1}, {}, [("impossible", "pain")]),
        ({"cause": "bad"}, {}, [("impossible", "cause")]),
        ({"cause": None}, {}, [("missing", "cause")]),
        ({"cause": "other"}, {}, [("missing", "other")]),
        ({"cause": "other"}, {"other": "unknown"}, []),
        ({"cause": "other", "other": "burn"}, {}, []),
        ({"other": "burn"}, {}, [("impossible", "other")]),
        ({"anatomy": ["As", "Ad"]}, {}, []),
        ({"anatomy": ["An"]}, {}, []),
        ({"anatomy": ["As", "An"]}, {}, [("impossible", "anatomy")]),
        ({"anatomy": ["Xx"]}, {}, [("impossible", "anatomy")]),
        ({"anatomy": []}, {}, [("impossible", "anatomy")]),
    ],
)
def test_what_is_found(values, absent, findings):
    assert found(values, absent) == findings


def test_a_confirmation_holds_for_the_value_confirmed_only():
    unusual = {"calcium": Decimal("3.200")}
    assert found(unusual, confirmed={"calcium": "3.200"}) == []
    assert found({"calcium": Decimal("3.300")}, confirmed={"calcium": "3.200"}) == [
        ("unusual", "calcium")
    ]
    assert found({"calcium": Decimal("7.000")}, confirmed={"calcium": "7.000"}) == [
        ("impossible", "calcium")
    ]


def test_a_message_names_item_value_range_and_the_likely_unit():
    values = GOOD | {
        "calcium": Decimal("9.800"),
        "calcium_typed": "9.8",
        "calcium_unit": "mmol/L",
    }
    (finding,) = judge(ITEMS, values, {})
    assert finding.level == Level.IMPOSSIBLE
    assert finding.message == (
        "Total calcium 9.8 mmol/L is not possible: it must lie from 0.5 to 6. 9.8 looks like mg/dL."
    )


def test_no_unit_is_guessed_where_none_fits():
    values = GOOD | {"calcium": Decimal(90), "calcium_typed": "90", "calcium_unit": "mmol/L"}
    (finding,) = judge(ITEMS, values, {})
    assert "looks like" not in finding.message


@given(st.decimals(-10, 20, places=3))
def test_a_number_is_impossible_unusual_or_neither_as_its_ranges_say(value):
    level = [level for level, _ in found({"calcium": value})]
    if not Decimal("0.5") <= value <= 6:
        assert level == ["impossible"]
    elif not Decimal("1.8") <= value <= 3:
        assert level == ["unusual"]
    else:
        assert level == []
