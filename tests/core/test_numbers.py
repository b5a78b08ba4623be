"""Typed numbers: appendix 2 of the rules of behaviour, the same in every language."""

from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from registry.core.numbers import (
    Number,
    UnreadableError,
    convert,
    in_unit,
    read_number,
    rounded,
    show_number,
)

READ = {
    "1.5": ("=", "1.5"),
    "1,5": ("=", "1.5"),
    "１．５": ("=", "1.5"),
    "１，５": ("=", "1.5"),
    "<0.1": ("<", "0.1"),
    "< 0,1": ("<", "0.1"),
    "＞1.3": (">", "1.3"),
    "=4": ("=", "4"),
    "-3": ("=", "-3"),
    "-99": ("=", "-99"),
    " 42 ": ("=", "42"),
    "0.125": ("=", "0.125"),
    "0,125": ("=", "0.125"),
    ".5": ("=", "0.5"),
    "12.3456": ("=", "12.3456"),
    "1234.567": ("=", "1234.567"),
    "９": ("=", "9"),
}
ASKED = ["1.234,5", "1,234.5", "12 345", "1.5mg", "1.500", "1,500", "12.345", "999,000"]
ASKED += ["", "  ", ".", "-", "<", "1.", "1..5", "--1", "1e5", "½", "inf", "NaN", "1\x005", "<<1"]


@pytest.mark.parametrize("language", ["en", "ja", "pt-br"])
@pytest.mark.parametrize("typed", READ)
def test_what_is_read(typed, language):
    sign, value = READ[typed]
    with translation.override(language):
        assert read_number(typed) == Number(sign, Decimal(value))


@pytest.mark.parametrize("language", ["en", "ja", "pt-br"])
@pytest.mark.parametrize("typed", ASKED)
def test_what_is_asked_about(typed, language):
    with translation.override(language), pytest.raises(UnreadableError, match=r"[.。]$"):
        read_number(typed)


@pytest.mark.parametrize(
    ("typed", "possible", "value"),
    [
        ("1.500", (0.5, 6), "1.5"),
        ("1,500", (0.5, 6), "1.5"),
        ("1.500", (10, 3000), "1500"),
        ("<1.500", (10, 3000), "1500"),
        ("1.500", (0, 3000), None),
        ("1.500", (5, 10), None),
    ],
)
def test_the_possible_range_settles_thousands_or_asks(typed, possible, value):
    if value is None:
        with pytest.raises(UnreadableError, match=r"1\.5 or 1500"):
            read_number(typed, possible)
    else:
        assert read_number(typed, possible).value == Decimal(value)


@given(
    st.decimals(-(10**6), 10**6, places=2),
    st.sampled_from([".", ","]),
    st.sampled_from(["", "<", ">"]),
)
def test_every_plain_number_comes_back(value, separator, sign):
    typed = f"{sign}{value:f}".replace(".", separator)
    assert read_number(typed) == Number(sign or "=", value)


@given(st.text(max_size=12))
def test_anything_is_read_or_asked_about(text):
    try:
        number = read_number(text)
    except UnreadableError:
        return
    assert number.value.is_finite()
    assert number.comparator in ("=", "<", ">")


def test_conversion_is_decimal_and_rounded_as_the_column_keeps_it():
    also = {"mg/dL": 0.2495}
    assert convert(Decimal("9.8"), "mg/dL", "mmol/L", also) == Decimal("2.44510")
    assert convert(Decimal("2.45"), "mmol/L", "mmol/L", also) == Decimal("2.45")
    assert str(rounded(Decimal("2.44510"), 3)) == "2.445"
    assert str(rounded(Decimal(4), 1)) == "4.0"


@pytest.mark.parametrize(
    ("typed", "unit", "wanted", "becomes"),
    [
        ("9.8", "mg/dL", "mmol/L", "2.45"),
        ("2.45", "mmol/L", "mg/dL", "9.82"),
        ("<2.4512", "mmol/L", "mg/dL", "<9.8244"),
        ("2,4", "mmol/L", "mmol/L", "2.4"),
        ("100", "mmol/L", "mg/dL", "401"),
        ("0", "mg/dL", "mmol/L", "0"),
    ],
)
def test_a_number_retyped_in_another_unit_keeps_its_digits(typed, unit, wanted, becomes):
    also = {"mg/dL": 0.2495}
    assert in_unit(read_number(typed), unit, wanted, "mmol/L", also) == becomes


@given(st.decimals(Decimal("0.01"), 9999, places=2))
def test_a_number_turned_into_another_unit_and_back_is_nearly_itself(value):
    also = {"mg/dL": 0.2495}
    there = in_unit(Number("=", value), "mg/dL", "mmol/L", "mmol/L", also)
    back = in_unit(Number("=", Decimal(there)), "mmol/L", "mg/dL", "mmol/L", also)
    assert abs(Decimal(back) - value) <= value / 50


def test_a_number_in_words():
    assert show_number("=", Decimal("2.450"), "mmol/L") == "2.45 mmol/L"
    assert show_number("<", Decimal(10), "") == "< 10"
