"""Healing, recurrence, change of area, ulcer-free days and VCSS: tables and plain oracles."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.dates import Span, span
from registry.ulcers import rules
from registry.ulcers.rules import Days, State, UlcerFree

ENROLLED = date(2026, 1, 10)


def day(number: int) -> date:
    return ENROLLED + timedelta(days=number)


@dataclass
class Seen:
    """An assessment; ``on`` counts days from enrolment."""

    on: int
    ulcer_status: str = "open"
    length_mm: Any = None
    width_mm: Any = None
    area_mm2: Any = None
    area_method: Any = None
    merged_into: Any = None

    @property
    def assessed_on(self) -> date:
        return day(self.on)


@dataclass
class Known:
    """An ulcer, its onset a number of days from enrolment, or a pair of such numbers."""

    label: str
    onset_days: tuple[int, int] = (-30, -30)
    assessed: list[Seen] = field(default_factory=list)
    location: list[str] = field(default_factory=lambda: ["medial_malleolus"])
    recorded: int = 0

    @property
    def recorded_on(self) -> date:
        return day(self.recorded)

    @property
    def onset(self) -> Span:
        return Span(day(self.onset_days[0]), day(self.onset_days[1]))


def seen(story: str) -> list[Seen]:
    """``"o0 c10 c24 m30"``: open on day 0, closed on 10 and 24, merged on 30."""
    words = {"o": "open", "c": "closed", "m": "merged"}
    return [
        Seen(int(step[1:]), words[step[0]], merged_into="R2" if step[0] == "m" else None)
        for step in story.split()
    ]


def sized(*areas: tuple[int, float] | tuple[int, float, str]) -> list[Seen]:
    return [
        Seen(one[0], area_mm2=Decimal(str(one[1])), area_method=one[2] if len(one) > 2 else None)
        for one in areas
    ]


@pytest.mark.parametrize(
    ("story", "state", "healed", "confirmed", "last_open", "recurred"),
    [
        ("", State.NOT_ASSESSED, None, None, None, None),
        ("o0", State.OPEN, None, None, 0, None),
        ("o0 c10", State.CLOSED_UNCONFIRMED, None, None, 0, None),
        ("o0 c10 c23", State.CLOSED_UNCONFIRMED, None, None, 0, None),
        ("o0 c10 c24", State.HEALED, 10, 24, 0, None),
        ("o0 c10 c20 c24", State.HEALED, 10, 24, 0, None),
        ("c10 c24", State.HEALED, 10, 24, None, None),
        ("o0 c10 o20 c24", State.CLOSED_UNCONFIRMED, None, None, 20, None),
        ("o0 c10 o20 c24 c38", State.HEALED, 24, 38, 20, None),
        ("o0 c10 c24 o40", State.OPEN, 10, 24, 0, 40),
        ("o0 c10 c24 o40 c50", State.CLOSED_UNCONFIRMED, 10, 24, 0, 40),
        ("o0 c10 c24 o40 c50 c70", State.HEALED, 10, 24, 0, 40),
        ("o0 m5", State.MERGED, None, None, 0, None),
        ("o0 c10 m15 c24", State.CLOSED_UNCONFIRMED, None, None, 0, None),
        ("c24 o0 c10", State.HEALED, 10, 24, 0, None),  # entered out of order
    ],
)
def test_course(
    story: str,
    state: State,
    healed: int | None,
    confirmed: int | None,
    last_open: int | None,
    recurred: int | None,
) -> None:
    course = rules.course(seen(story))
    expected = [None if n is None else day(n) for n in (healed, confirmed, last_open, recurred)]
    got = [course.healed_on, course.confirmed_on, course.last_open_on, course.recurred_on]
    assert course.state == state
    assert got == expected
    assert rules.ulcer_outcome(course) == ("censored" if healed is None else "healed")


stories = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["open", "closed", "merged"])),
    max_size=12,
    unique_by=lambda one: one[0],
)


@given(stories)
def test_healing_agrees_with_a_plain_search(story: list[tuple[int, str]]) -> None:
    """Oracle: try every pair of assessments, look at everything between them."""
    course = rules.course([Seen(on, status) for on, status in story])
    story = sorted(story)
    pairs = [
        (first, second)
        for first, _ in story
        for second, _ in story
        if second - first >= 14
        and all(status == "closed" for on, status in story if first <= on <= second)
    ]
    confirmed = min((second for _, second in pairs), default=None)
    healed = min((first for first, second in pairs if second == confirmed), default=None)
    assert course.confirmed_on == (None if confirmed is None else day(confirmed))
    assert course.healed_on == (None if healed is None else day(healed))
    opens = [on for on, status in story if status == "open"]
    again = min((on for on in opens if confirmed is not None and on > confirmed), default=None)
    assert course.recurred_on == (None if again is None else day(again))
    before = [on for on in opens if healed is None or on < healed]
    assert course.last_open_on == (day(max(before)) if before else None)


@pytest.mark.parametrize(
    ("story", "sentence"),
    [
        ("", "Not yet assessed"),
        ("o0", "Open, last seen on 10 Jan 2026"),
        (
            "o0 c10",
            "Closed on 20 Jan 2026, not yet confirmed: confirm on or after 3 Feb 2026",
        ),
        ("o0 c10 c24", "Healed on 20 Jan 2026, confirmed on 3 Feb 2026"),
        ("o0 c10 c24 o40", "Open again on 19 Feb 2026 after healing on 20 Jan 2026"),
        (
            "o0 c10 c24 o40 c50 c70",
            "Healed again on 1 Mar 2026, for the first time on 20 Jan 2026",
        ),
        ("o0 m5", "Merged into R2 on 15 Jan 2026"),
    ],
)
def test_the_state_in_words(story: str, sentence: str) -> None:
    assert rules.course(seen(story)).sentence == sentence


@pytest.mark.parametrize(
    ("onset", "healing", "age"),
    [
        ("2025-12-11", Days(10, 10), Days(30, 30)),
        ("2026-01-10", Days(10, 10), Days(0, 0)),
        ("2026-01-15", Days(5, 5), None),
        ("2025-12", Days(10, 10), Days(10, 40)),
        ("2026-01", Days(0, 10), Days(0, 9)),  # before or after enrolment
        ("2025", Days(10, 10), Days(10, 374)),
    ],
)
def test_time_to_healing(onset: str, healing: Days, age: Days | None) -> None:
    course = rules.course(seen("o0 c10 c24"))
    assert rules.time_to_healing_days(course, span(onset), ENROLLED) == healing
    assert rules.ulcer_age_days(span(onset), ENROLLED) == age


@given(st.integers(-400, 9), st.integers(0, 40))
def test_a_partial_onset_gives_every_time_it_may_mean(first: int, width: int) -> None:
    course = rules.course(seen("o9 c10 c24"))
    onset = Span(day(first), day(min(9, first + width)))
    whole = rules.time_to_healing_days(course, onset, ENROLLED)
    each = []
    for number in range(first, min(9, first + width) + 1):
        exact = rules.time_to_healing_days(course, Span(day(number), day(number)), ENROLLED)
        assert exact
        assert exact.least == exact.most == (10 if number <= 0 else 10 - number)
        each.append(exact.least)
    assert whole == Days(min(each), max(each))


def test_no_time_to_healing_before_healing() -> None:
    assert rules.time_to_healing_days(rules.course(seen("o0 c10")), span("2025"), ENROLLED) is None


HEALED = "o0 c10 c30"  # healed on day 10, confirmed on day 30


@pytest.mark.parametrize(
    ("onset", "location", "kind", "same"),
    [
        ((31, 31), ["foot"], "recurrent", False),
        ((31, 40), ["medial_malleolus", "foot"], "recurrent", True),
        ((30, 30), ["foot"], "first", None),
        ((5, 5), ["foot"], "first", None),
        ((20, 40), ["foot"], None, None),
    ],
)
def test_recurrence_on_the_leg(
    onset: tuple[int, int], location: list[str], kind: str | None, same: bool | None
) -> None:
    first = Known("R1", assessed=seen(HEALED))
    later = Known("R2", onset, seen("o50"), location, recorded=50)
    leg = [first, later]
    found = rules.recurrence(later, leg)
    assert rules.first_or_recurrent(later, leg) == kind
    assert (found.same_location if found else None) == same
    if found:
        assert (found.of, found.days) == ("R1", Days(onset[0] - 10, onset[1] - 10))
    assert rules.first_or_recurrent(first, leg) == "first"


def test_an_ulcer_that_opens_again_recurs_at_its_own_place() -> None:
    ulcer = Known("R1", assessed=seen("o0 c10 c30 o45"))
    assert rules.recurrence(ulcer, [ulcer]) == rules.Recurrence("R1", True, Days(35, 35))


def test_an_unconfirmed_closure_makes_no_recurrence() -> None:
    first = Known("R1", assessed=seen("o0 c10"))
    later = Known("R2", (20, 20), seen("o25"), recorded=25)
    assert rules.first_or_recurrent(later, [first, later]) == "first"


@pytest.mark.parametrize(
    ("areas", "four", "twelve"),
    [
        (sized((0, 100), (28, 62)), 38, None),
        (sized((0, 100), (21, 90), (35, 70), (29, 62)), 38, None),
        (sized((0, 100), (20, 62), (36, 50)), None, None),
        (sized((0, 100), (21, 62)), 38, None),
        (sized((0, 100), (35, 62)), 38, None),
        (sized((0, 100), (26, 60), (30, 50)), 40, None),  # equally near: the earlier
        (sized((0, 100), (28, 150), (84, 25)), -50, 75),
        (sized((0, 100), (70, 40)), None, 60),
        (sized((0, 100), (98, 40)), None, 60),
        (sized((0, 100), (99, 40)), None, None),
        ([*sized((0, 100)), Seen(28, "closed")], 100, None),
        ([Seen(0), *sized((5, 100), (33, 50))], 50, None),  # A0 is the first measured one
        (sized((0, 100), (28, 62, "photo")), None, None),
        (sized((0, 100, "photo"), (28, 62, "photo")), 38, None),
        (sized((0, 100), (28, 62), (84, 20, "planimetry")), None, None),
        (sized((0, 100), (28, 62, "ruler_ellipse")), 38, None),
        ([Seen(0), Seen(28)], None, None),
        ([], None, None),
    ],
)
def test_change_of_area(areas: list[Seen], four: int | None, twelve: int | None) -> None:
    for wanted, window in ((four, rules.FOUR_WEEKS), (twelve, rules.TWELVE_WEEKS)):
        found = rules.area_change_percent(areas, *window)
        assert (found.percent if found else None) == wanted


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (100, 62, "38 % smaller than on 10 Jan 2026 (28 days)"),
        (100, 150, "50 % bigger than on 10 Jan 2026 (28 days)"),
        (100, 100, "As large as on 10 Jan 2026 (28 days)"),
    ],
)
def test_change_is_a_sentence(before: int, after: int, sentence: str) -> None:
    found = rules.change(*sized((0, before), (28, after)))
    assert found
    assert found.sentence == sentence


def test_the_index_ulcer_is_the_legs_largest_at_enrolment() -> None:
    small = Known("R1", assessed=sized((0, 100)))
    large = Known("R2", assessed=sized((3, 300), (28, 50)))
    grew = Known("R3", assessed=sized((0, 50), (28, 900)))
    late = Known("R4", (1, 1), sized((14, 5000)), recorded=14)
    seen_late = Known("R5", assessed=sized((15, 5000)), recorded=15)
    assert rules.index_ulcer([small, large, grew, late, seen_late], ENROLLED) is large
    assert rules.index_ulcer([late, seen_late], ENROLLED) is None
    twin = Known("R6", assessed=sized((0, 300)))
    assert rules.index_ulcer([twin, large], ENROLLED) is large


NO, YES = False, True


@pytest.mark.parametrize(
    ("answers", "free", "observed"),
    [
        ([], 0, 0),
        ([(0, NO)], 0, 0),
        ([(0, NO), (91, NO)], 91, 91),
        ([(0, NO), (91, YES), (182, NO)], 0, 182),
        ([(0, YES), (91, NO), (182, NO)], 91, 182),
        ([(0, NO), (270, NO)], 270, 270),
        ([(0, NO), (271, NO)], 0, 0),
        ([(182, NO), (400, NO)], 183, 183),  # ends with the year
        ([(-5, NO), (10, NO)], 10, 10),  # begins with enrolment
        ([(370, NO), (400, NO)], 0, 0),
        ([(0, NO), (91, NO), (91, YES), (182, NO)], 0, 182),  # two answers of one day
    ],
)
def test_ulcer_free_days(answers: list[tuple[int, bool]], free: int, observed: int) -> None:
    dated = [(day(number), answer) for number, answer in answers]
    assert rules.ulcer_free_days(dated, ENROLLED) == UlcerFree(free, observed)


def test_ulcer_free_time_ends_with_the_leg_or_a_death() -> None:
    answers = [(day(0), False), (day(200), False)]
    assert rules.ulcer_free_days(answers, ENROLLED, day(50)) == UlcerFree(50, 50)
    assert rules.ulcer_free_days(answers, ENROLLED, day(500)) == UlcerFree(200, 200)


@pytest.mark.parametrize(
    ("healed", "lost", "died", "outcome"),
    [
        (None, None, None, "censored"),
        (40, None, None, "healed"),
        (None, 40, None, "amputated"),
        (None, None, 40, "died"),
        (40, 60, 80, "healed"),
        (60, 40, 80, "amputated"),
        (60, 80, 40, "died"),
        (40, 40, 40, "healed"),
    ],
)
def test_the_first_of_the_competing_outcomes_counts(
    healed: int | None, lost: int | None, died: int | None, outcome: str
) -> None:
    course = rules.Course(healed_on=day(healed) if healed else None)
    days = [day(number) if number else None for number in (lost, died)]
    assert rules.ulcer_outcome(course, *days) == outcome


@given(
    st.lists(
        st.tuples(st.integers(-30, 800), st.booleans()),
        max_size=8,
        unique_by=lambda answer: answer[0],
    )
)
def test_ulcer_free_days_agree_with_counting_each_day(answers: list[tuple[int, bool]]) -> None:
    free = observed = 0
    for number in range(365):
        before = max((one for one in answers if one[0] <= number), default=None)
        after = min((one for one in answers if one[0] > number), default=None)
        if before and after and after[0] - before[0] <= 270:
            observed += 1
            free += not before[1] and not after[1]
    found = rules.ulcer_free_days([(day(number), yes) for number, yes in answers], ENROLLED)
    assert found == UlcerFree(free, observed)


def scored(*ulcers: Known, on: int = 0) -> list[int | None]:
    return list(rules.vcss_scores(ulcers, day(on)).values())


def of_size(length: int | None, width: int | None = 5) -> list[Seen]:
    return [Seen(0, length_mm=length, width_mm=width)]


@pytest.mark.parametrize(
    ("onset", "length", "scores"),
    [
        (-90, 19, [1, 1, 1]),
        (-91, 20, [1, 2, 2]),
        (-365, 60, [1, 2, 2]),
        (-366, 61, [1, 3, 3]),
        (-10, None, [1, 1, None]),
    ],
)
def test_vcss_scores_of_one_ulcer(onset: int, length: int | None, scores: list[int | None]) -> None:
    assert scored(Known("R1", (onset, onset), of_size(length))) == scores


def test_vcss_scores_of_a_leg() -> None:
    assert scored() == [0, 0, 0]
    assert scored(Known("R1", assessed=seen("o0 c10")), on=10) == [0, 0, 0]
    assert scored(Known("R1", assessed=seen("o0 c10")), on=9)[0] == 1
    assert scored(Known("R1", recorded=20), on=10) == [0, 0, 0]
    assert scored(Known("R1")) == [1, 1, None]  # recorded, not yet assessed
    many = [Known(f"R{n}", (-n, -n), of_size(10, width=n)) for n in (1, 2, 3, 70)]
    assert scored(*many) == [3, 1, 3]
    assert scored(Known("R1", (-100, -80), of_size(10))) == [1, None, 1]
    assert scored(Known("R1", assessed=of_size(70)), Known("R2")) == [2, 1, 3]
    assert scored(Known("R1", assessed=of_size(30)), Known("R2")) == [2, 1, None]
