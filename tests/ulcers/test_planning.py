"""When ulcers ask for a check or a confirmation: tables, and simulated courses."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ulcers.planning import Facts, next_check, next_confirmation, wanted
from registry.ulcers.rules import State

SEEN = date(2026, 1, 1)


def on(day):
    return SEEN + timedelta(days=day)


def seen(day, status="open"):
    return SimpleNamespace(
        assessed_on=on(day),
        ulcer_status=status,
        merged_into="R2" if status == "merged" else "",
        length_mm=None,
        width_mm=None,
        area_mm2=None,
        area_method=None,
    )


def ulcer(*assessments, recorded=0, awaited=(), **facts):
    found = [seen(day, status) for day, status in assessments]
    return Facts(on(recorded), found, [on(day) for day in awaited], **facts)


@pytest.mark.parametrize(
    ("facts", "missed", "target"),
    [
        (ulcer(), (), 28),
        (ulcer((0, "open")), (), 28),
        (ulcer((0, "open"), (30, "open")), (), 58),
        (ulcer((0, "open"), (167, "open")), (), 195),
        (ulcer((0, "open"), (168, "open")), (), 259),
        (ulcer((0, "open"), (300, "open")), (), 391),
        # A visit whose form is not finished counts as having found it as it was.
        (ulcer((0, "open"), awaited=[25]), (), 53),
        (ulcer((0, "open"), (40, "open"), awaited=[25]), (), 68),
        # Given up: the next one counts from there.
        (ulcer((0, "open")), (60,), 88),
        (ulcer((0, "open"), (80, "open")), (60,), 108),
        (ulcer((0, "closed")), (), None),
        (ulcer((0, "closed"), (14, "closed")), (), None),
        (ulcer((0, "closed"), (14, "closed"), (200, "open")), (), 291),
        (ulcer((0, "open"), (28, "merged")), (), None),
        (ulcer((0, "open"), leg_lost=True), (), None),
    ],
)
def test_the_next_check(facts, missed, target):
    expected = None if target is None else on(target)
    assert next_check(facts, [on(day) for day in missed]) == expected


@pytest.mark.parametrize(
    ("facts", "missed", "target"),
    [
        (ulcer((0, "open")), (), None),
        (ulcer((0, "open"), (28, "closed")), (), 42),
        (ulcer((0, "open"), (28, "closed"), (41, "closed")), (), 42),
        (ulcer((0, "open"), (28, "closed"), (42, "closed")), (), None),
        (ulcer((0, "open"), (28, "closed"), (35, "open"), (50, "closed")), (), 64),
        (ulcer((28, "closed"), awaited=[42]), (), None),
        (ulcer((28, "closed"), awaited=[41]), (), 42),
        (ulcer((28, "closed")), (50,), 64),
        (ulcer((28, "closed")), (20,), 42),
        (ulcer((28, "closed"), leg_lost=True), (), None),
        (ulcer((28, "merged")), (), None),
    ],
)
def test_the_next_confirmation(facts, missed, target):
    expected = None if target is None else on(target)
    assert next_confirmation(facts, [on(day) for day in missed]) == expected


def test_ulcers_share_the_visit_of_the_earliest_need():
    ulcers = [ulcer((0, "open"), (20, "open")), ulcer((10, "open"), recorded=10)]
    assert wanted(ulcers)["UC"] == on(38)
    closed = [ulcer((5, "closed")), ulcer((0, "closed")), ulcer((0, "open"))]
    assert wanted(closed) == {"UC": on(28), "HC": on(14)}
    assert wanted([]) == {"UC": None, "HC": None}


@dataclass
class Plan:
    """The plan of a participant as ``visits.actions`` keeps it, in memory."""

    planned: dict = field(default_factory=dict)
    numbers: dict = field(default_factory=lambda: {"UC": 0, "HC": 0})
    missed: dict = field(default_factory=lambda: {"UC": [], "HC": []})

    def follow(self, targets):
        """Plan, move or cancel; says what changed."""
        before = dict(self.planned)
        for stem, target in targets.items():
            if target is None:
                self.planned.pop(stem, None)
            elif stem in self.planned:
                self.planned[stem] = (self.planned[stem][0], target)
            else:
                self.numbers[stem] += 1
                self.planned[stem] = (self.numbers[stem], target)
        return self.planned != before


STEPS = st.lists(
    st.tuples(
        st.integers(0, 60),  # days that go by
        st.sampled_from(["see", "see", "see", "new", "miss", "come"]),
        st.integers(0, 2),  # which ulcer
        st.sampled_from(["open", "open", "closed", "closed", "merged"]),
    ),
    max_size=25,
)


@given(steps=STEPS)
def test_any_course_keeps_its_promises(steps):
    """While an ulcer is open a check stands, while one is unconfirmed its confirmation does."""
    plan, today = Plan(), 0
    ulcers = [ulcer()]

    def targets():
        return wanted(ulcers, plan.missed["UC"], plan.missed["HC"])

    plan.follow(targets())
    for days, what, which, status in steps:
        today += days
        which %= len(ulcers)
        known = ulcers[which]
        if what == "new" and len(ulcers) < 3:
            ulcers.append(ulcer(recorded=today))
        elif what == "see" and known.course.state != State.MERGED:
            ulcers[which] = Facts(known.recorded_on, [*known.assessments, seen(today, status)])
        elif what == "miss" and plan.planned:
            stem = sorted(plan.planned)[0]
            _number, target = plan.planned.pop(stem)
            plan.missed[stem].append(max(target, on(today)))
        elif what == "come":
            ulcers[which] = Facts(known.recorded_on, known.assessments, [on(today)])
        plan.follow(targets())
        states = {one.course.state for one in ulcers}
        is_open = bool(states & {State.OPEN, State.NOT_ASSESSED})
        unconfirmed = [one for one in ulcers if one.course.confirm_from]
        assert ("UC" in plan.planned) == is_open
        # A confirmation attended, its form unfinished, is waited for.
        owed = [
            one
            for one in unconfirmed
            if not any(day >= one.course.confirm_from for day in one.awaited)
        ]
        assert ("HC" in plan.planned) == bool(owed)
        for stem, (_number, target) in plan.planned.items():
            last = max([one.course.seen_on or one.recorded_on for one in ulcers])
            latest = max([last, on(today), *plan.missed[stem]])
            assert target <= latest + timedelta(days=91)
        assert not plan.follow(targets())
