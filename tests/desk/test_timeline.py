"""The leg timeline's pure rules: what is drawn of an ulcer, and where every mark stands."""

from datetime import date, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.dates import Span, span
from registry.desk.timeline import (
    LEFT,
    MAX_TICKS,
    RIGHT,
    Fact,
    Lane,
    Manner,
    Sign,
    Stretch,
    lay_out,
    period,
    ticks,
    ulcer_course,
)

TODAY = date(2026, 6, 30)
KNOWN, DOUBT, UNSEEN = Manner.KNOWN, Manner.DOUBT, Manner.UNSEEN


def day(text):
    return date.fromisoformat(f"2026-{text}")


def fact(*on, limb="right", lane=Lane.EVENTS, label="cellulitis", **about):
    signs = tuple(Sign(one, "event") for one in on)
    return Fact(limb, lane, "Right leg", "Event", "some day", "value", "/x/", label, signs=signs)


# -- ulcers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("onset", "looks", "missed", "stretches", "signs"),
    [
        pytest.param(
            "2026-01-01",
            [("02-01", "open")],
            [],
            [("01-01", "02-01", KNOWN), ("02-01", "06-30", UNSEEN)],
            [],
            id="open: known to the last look, unseen since",
        ),
        pytest.param(
            "2026-01",
            [("02-10", "open"), ("03-01", "closed")],
            [],
            [("01-01", "01-30", DOUBT), ("01-31", "02-10", KNOWN), ("02-10", "03-01", KNOWN)],
            [("03-01", "closed")],
            id="a partial onset is as wide as the doubt; closed once is not healed",
        ),
        pytest.param(
            "2026-01-01",
            [("02-01", "closed"), ("02-15", "closed")],
            [],
            [("01-01", "02-01", KNOWN)],
            [("02-01", "healed")],
            id="closed again after 14 days: healed as of the first",
        ),
        pytest.param(
            "2026-01-01",
            [("02-01", "closed"), ("02-14", "closed")],
            [],
            [("01-01", "02-01", KNOWN)],
            [("02-01", "closed")],
            id="13 days do not confirm",
        ),
        pytest.param(
            "2026-01-01",
            [("02-01", "closed"), ("03-01", "closed"), ("04-01", "open"), ("05-01", "closed")],
            [],
            [("01-01", "02-01", KNOWN), ("04-01", "05-01", KNOWN)],
            [("02-01", "healed"), ("05-01", "closed")],
            id="a recurrence is a bar of its own",
        ),
        pytest.param(
            "2026-01-01",
            [("02-01", "open"), ("05-01", "open")],
            ["03-15"],
            [
                ("01-01", "02-01", KNOWN),
                ("02-01", "05-01", UNSEEN),
                ("05-01", "06-30", UNSEEN),
            ],
            [],
            id="nothing is known across a missed visit",
        ),
        pytest.param(
            "2026-01-01",
            [("02-01", "merged")],
            [],
            [("01-01", "02-01", KNOWN)],
            [("02-01", "merged")],
            id="merged ends here",
        ),
        pytest.param(
            "2026-01-01",
            [],
            [],
            [("01-01", "06-30", UNSEEN)],
            [],
            id="never assessed: nothing known",
        ),
    ],
)
def test_an_ulcers_bar(onset, looks, missed, stretches, signs):
    drawn = ulcer_course(
        span(onset),
        [(day(on), state) for on, state in looks],
        [day(on) for on in missed],
        TODAY,
    )
    assert drawn == (
        tuple(Stretch(day(first), day(last), manner) for first, last, manner in stretches),
        tuple(Sign(day(on), shape) for on, shape in signs),
    )


days = st.dates(date(2020, 1, 1), TODAY)


@given(
    onset=st.sampled_from(["2019", "2019-11", "2019-12-31"]),
    looks=st.lists(st.tuples(days, st.sampled_from(["open", "closed"])), unique_by=lambda x: x[0]),
    missed=st.lists(days, max_size=3),
)
def test_no_unobserved_day_is_drawn_as_known(onset, looks, missed):
    looks.sort()
    stretches, _signs = ulcer_course(span(onset), looks, missed, TODAY)
    last_look = max((on for on, _state in looks), default=span(onset).last)
    for one in stretches:
        assert one.first <= one.last
        if one.manner == KNOWN:
            assert one.last <= last_look
            assert not any(one.first < on < one.last for on in missed)


# -- places ------------------------------------------------------------------------------------


@st.composite
def facts(draw, most=40):
    found = []
    for _ in range(draw(st.integers(0, most))):
        lane = draw(st.sampled_from([Lane.EVENTS, Lane.CEAP, Lane.TREATMENTS]))
        on = draw(st.dates(date(2024, 1, 1), date(2026, 12, 31)))
        wide = draw(st.integers(0, 400))
        stretches = (Stretch(on, on + timedelta(days=wide)),) if lane == Lane.TREATMENTS else ()
        found.append(
            Fact(
                draw(st.sampled_from(["right", "left"])),
                lane,
                "Right leg",
                "Event",
                "some day",
                "value",
                "/x/",
                draw(st.sampled_from(["C4a", "deep vein thrombosis"])),
                stretches,
                (Sign(on, "event"),),
                draw(st.integers(0, 6)) if lane == Lane.CEAP else None,
            )
        )
    return found


def assert_readable(timeline):
    """No two marks share more than half of the smaller one; no label is touched by anything."""
    marks = list(timeline.marks)
    for one, other in combinations(marks, 2):
        assert one.box.shared(other.box) <= 0.5
        for mark, label in ((one, other.label), (other, one.label)):
            assert not (label and mark.box.shared(label.box))
    for mark in marks:
        for x, width, _manner in mark.stretches:
            assert x >= LEFT
            assert x + width <= RIGHT + 0.5
        assert 0 < mark.box.y <= timeline.height - mark.box.height


@settings(max_examples=40)
@given(facts())
def test_every_fact_in_range_is_one_mark_that_can_be_read(found):
    timeline = lay_out(found, period(found, TODAY), TODAY)
    assert sorted(mark.fact.name for mark in timeline.marks) == sorted(
        one.name for one in timeline.facts
    )
    assert len(timeline.facts) == sum(one.within(timeline.span) for one in found)
    assert_readable(timeline)


@pytest.mark.parametrize("apart", [0, 1, 9])
def test_forty_events_move_down_a_little(apart):
    found = [fact(TODAY - timedelta(days=apart * at)) for at in range(40)]
    timeline = lay_out(found, period(found, TODAY, 24), TODAY)
    assert len(list(timeline.marks)) == 40
    assert_readable(timeline)


def test_a_later_day_stands_further_right():
    found = [fact(TODAY - timedelta(days=at)) for at in (700, 300, 0)]
    timeline = lay_out(found, period(found, TODAY), TODAY)
    places = [mark.signs[0][0] for mark in timeline.marks]
    assert places == sorted(set(places))


@pytest.mark.parametrize(("missed", "lines"), [([], 2), ([day("02-15")], 1), ([day("03-01")], 2)])
def test_no_step_crosses_a_missed_visit(missed, lines):
    classes = [
        Fact(
            "right",
            Lane.CEAP,
            "Right leg",
            "CEAP",
            "some day",
            "C4",
            "/x/",
            "C4",
            signs=(Sign(day(on), "class"),),
            level=level,
        )
        for on, level in (("02-01", 6), ("03-01", 5), ("05-01", 5))
    ]
    timeline = lay_out(classes, period(classes, TODAY), TODAY, missed=missed)
    row = next(row for row in timeline.bands[1].lanes if row.lane == Lane.CEAP)
    assert len(row.steps) == lines
    ulcer_class, healed_class, _same = (mark.middle for mark in row.marks)
    assert ulcer_class < healed_class
    assert row.steps[-1].y == row.steps[-1].to_y == healed_class


def test_a_period_holds_what_lies_in_it_and_the_next_thing_to_come():
    old, recent, next_one, later = (
        fact(TODAY + timedelta(days=at)) for at in (-1000, -20, 60, 700)
    )
    found = [later, old, recent, next_one]
    whole = lay_out(found, period(found, TODAY), TODAY)
    assert whole.facts == (old, recent, next_one)
    assert lay_out(found, period(found, TODAY, 6), TODAY).facts == (recent, next_one)


def test_what_only_encloses_the_period_is_not_drawn_in_it():
    twice = Fact(
        "right",
        Lane.ULCERS,
        "Right leg",
        "Ulcer",
        "",
        "",
        "/x/",
        "R1",
        (Stretch(day("01-01"), day("01-20")), Stretch(day("06-01"), day("06-20"))),
    )
    assert lay_out([twice], Span(day("02-01"), day("05-01")), TODAY).facts == ()


@given(st.dates(date(1950, 1, 1), TODAY), st.integers(0, 30_000))
def test_the_axis_has_few_even_ticks(first, length):
    found = ticks(Span(first, first + timedelta(days=length)))
    assert len(found) <= MAX_TICKS
    assert all(day.day == 1 and first <= day for day, _text in found)
    assert len({text for _day, text in found}) == len(found)
    if length > 62:
        assert found


def test_without_facts_there_is_a_year_to_draw_on():
    timeline = lay_out([], period([], TODAY), TODAY)
    assert timeline.facts == ()
    assert [band.limb for band in timeline.bands] == ["", "right", "left"]
