"""Typed dates: appendix 1 of the rules of behaviour, in each language, exact and partial."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from registry.core.dates import (
    precision,
    read_date,
    read_partial_date,
    read_time,
    show_date,
    show_long_date,
    show_moment,
    show_partial_date,
    span,
)
from registry.core.numbers import UnreadableError

APRIL, TODAY, VISIT = date(2026, 4, 3), date(2026, 5, 20), date(2026, 5, 11)
LANGUAGES = ["en", "ja", "pt-br"]

READ = {
    "2026-04-03": APRIL,
    "2026/04/03": APRIL,
    "2026.4.3": APRIL,
    "20260403": APRIL,
    "２０２６/４/３": APRIL,
    "3 apr 2026": APRIL,
    "03-Apr-2026": APRIL,
    "3apr2026": APRIL,
    "3 April 2026": APRIL,
    "3 abr 2026": APRIL,
    "3 de abril de 2026": APRIL,
    "2026年4月3日": APRIL,
    "R8.4.3": APRIL,
    "令和8年4月3日": APRIL,
    "H31.4.30": date(2019, 4, 30),
    "13/04/2026": date(2026, 4, 13),
    "04/13/2026": date(2026, 4, 13),
    "04/04/2026": date(2026, 4, 4),
    "t": TODAY,
    "T": TODAY,
    "v": VISIT,
    "-3": date(2026, 5, 17),
    "29 Feb 2024": date(2024, 2, 29),
}
ASKED = {
    "03/04/2026": "letters",
    "31/02/2026": "There is no 31 February",
    "2026-02-29": "There is no 29 February",
    "2026-13-01": "There is no month 13",
    "31/13/2026": "no month 13",
    "00/05/2026": "There is no 0 May",
    "5/0/2026": "There is no 0 May",
    "00/00/2026": "no month 0",
    "04/2026": "lacks the day",
    "2026-04": "lacks the day",
    "May 2026": "lacks the day",
    "2026": "cannot be read",
    "3 xyz 2026": "is no month",
    "soon": "cannot be read",
    "": "cannot be read",
    "3/4/26": "cannot be read",
    "0000-01-01": "The year 0000 cannot be",
    "3 Apr 0226": "The year 0226 cannot be",
    "03/04/0000": "The year 0000 cannot be",
    "0000-04": "The year 0000 cannot be",
    "R99999.1.1": "cannot be read",
    "2026-04-03\0": "cannot be read",
    "2026-04-03" + "x" * 200: "cannot be read",
}


def read(typed, **more):
    return read_date(typed, today=TODAY, visit_on=VISIT, **more)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("typed", READ)
def test_what_is_read(typed, language):
    with translation.override(language):
        assert read(typed) == READ[typed]


@pytest.mark.parametrize("typed", ASKED)
def test_what_is_asked_about(typed):
    with pytest.raises(UnreadableError, match=ASKED[typed]):
        read(typed)


@pytest.mark.parametrize("language", LANGUAGES)
def test_two_readings_are_asked_about_in_every_language(language):
    with translation.override(language), pytest.raises(UnreadableError):
        read("03/04/2026")


@pytest.mark.parametrize(
    ("order", "day"), [("dmy", APRIL), ("mdy", date(2026, 3, 4))]
)  # the order that the site declared
def test_the_sites_order_decides(order, day):
    assert read("03/04/2026", order=order) == day
    assert read("13/04/2026", order=order) == date(2026, 4, 13)


def test_a_visit_without_a_date_has_no_v():
    with pytest.raises(UnreadableError):
        read_date("v", today=TODAY)


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
def test_every_shape_of_a_date_comes_back(day):
    for typed in (
        day.isoformat(),
        f"{day:%Y%m%d}",
        f"{day.year}年{day.month}月{day.day}日",
        show_date(day),
    ):
        assert read(typed) == day


def only_asks(text, order):
    begun = process_time()
    for reader in (read_date, read_partial_date):
        with suppress(UnreadableError):
            reader(text, today=TODAY, visit_on=VISIT, order=order)
    with suppress(UnreadableError):
        read_time(text)
    assert process_time() - begun < 0.1


@given(st.text(max_size=200), st.sampled_from(["", "dmy", "mdy"]))
def test_anything_is_read_or_asked_about(text, order):
    only_asks(text, order)


@given(st.text("?uk-/. 0123年月日de\0x", max_size=200), st.sampled_from(["", "dmy", "mdy"]))
def test_anything_like_an_unknown_part_is_read_or_asked_about_at_once(text, order):
    only_asks(text, order)


@pytest.mark.parametrize("text", ["?" * 36 + "x", "?-" * 18 + "x", "uk" * 18 + "x", "?" * 200])
def test_many_unknown_parts_take_no_time(text):
    only_asks(text, "")


@given(
    st.from_regex(r"[RHS0-9]{1,4}[-/.年][0-9]{1,2}[-/.月][0-9]{1,4}日?", fullmatch=True),
    st.sampled_from(["", "dmy", "mdy"]),
)
def test_anything_like_a_date_is_read_or_asked_about(text, order):
    only_asks(text, order)


def test_a_date_is_read_back_with_its_weekday():
    assert show_long_date(APRIL) == "Fri 3 April 2026"


@pytest.mark.parametrize(
    ("zone", "language", "said"),
    [
        ("Asia/Tokyo", "en", "3 Apr 2026, 10:00 JST"),
        ("Asia/Tokyo", "ja", "2026年4月3日 10:00 JST"),
        ("America/Sao_Paulo", "en", "2 Apr 2026, 22:00 UTC-03"),  # the zone has no letters
    ],
)
def test_a_moment_names_its_zone(zone, language, said):
    moment = datetime(2026, 4, 3, 1, tzinfo=UTC)
    with translation.override(language):
        assert show_moment(moment, ZoneInfo(zone)) == said


# -- partial dates -----------------------------------------------------------------------------

PARTIAL = {
    "2026": "2026",
    "２０２６": "2026",
    "2026年": "2026",
    "2026-05": "2026-05",
    "05/2026": "2026-05",
    "2026年5月": "2026-05",
    "May 2026": "2026-05",
    "maio de 2026": "2026-05",
    "3 Apr 2026": "2026-04-03",
    "2026-04-03": "2026-04-03",
    "04/2026": "2026-04",
    "2026-05-??": "2026-05",
    "2026-??-??": "2026",
    "??/05/2026": "2026-05",
    "uk uk 2026": "2026",
    "UK May 2026": "2026-05",
    "2026年5月？日": "2026-05",
    "R8.4.3": "2026-04-03",
    "v": "2026-05-11",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("typed", PARTIAL)
def test_a_partial_date_keeps_its_precision(typed, language):
    with translation.override(language):
        assert read_partial_date(typed, today=TODAY, visit_on=VISIT) == PARTIAL[typed]


@pytest.mark.parametrize(
    "typed", ["2026-13", "13/2026", "0000", "0000-05", "year", "??", "2026-??-05"]
)
def test_a_partial_date_that_is_none(typed):
    with pytest.raises(UnreadableError):
        read_partial_date(typed, today=TODAY)


@pytest.mark.parametrize(
    ("partial", "first", "last"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-04-03", "2026-04-03", "2026-04-03"),
    ],
)
def test_a_partial_date_is_an_interval(partial, first, last):
    days = span(partial)
    assert [str(day) for day in (days.first, days.last)] == [first, last]


@pytest.mark.parametrize(
    ("partial", "shown", "precise"),
    [
        ("2026", "2026 (month unknown)", "year"),
        ("2024-02", "February 2024 (day unknown)", "month"),
        ("2026-04-03", "3 Apr 2026", "day"),
    ],
)
def test_a_partial_date_says_what_is_not_known(partial, shown, precise):
    assert show_partial_date(partial) == shown
    assert precision(partial) == precise


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)), st.sampled_from([4, 7, 10]))
def test_a_day_lies_in_every_span_that_it_is_known_by(day, length):
    partial = day.isoformat()[:length]
    days = span(partial)
    assert days.first <= day <= days.last
    for neighbour in (days.first - timedelta(days=1), days.last + timedelta(days=1)):
        assert not neighbour.isoformat().startswith(partial)
    assert read_partial_date(partial, today=TODAY) == partial


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_date_is_shown_in_numbers_alone(language):
    with translation.override(language):
        assert re.search(r"[^\W\d_]", show_date(APRIL))
        assert "2026" in show_date(APRIL)


@pytest.mark.parametrize(
    ("typed", "hour", "minute"),
    [
        ("9:30", 9, 30),
        ("09.30", 9, 30),
        ("9h30", 9, 30),
        ("14h", 14, 0),
        ("0930", 9, 30),
        ("9", 9, 0),
        ("９：３０", 9, 30),
        ("9時30分", 9, 30),
        ("0:00", 0, 0),
        ("23:59", 23, 59),
    ],
)
def test_a_time_in_many_spellings(typed, hour, minute):
    assert read_time(typed) == time(hour, minute)


@pytest.mark.parametrize("typed", ["24:00", "9:60", "930", "morning", "", "9:3", "-1", "99"])
def test_a_time_that_cannot_be(typed):
    with pytest.raises(UnreadableError, match="cannot be read as a time"):
        read_time(typed)
