"""Events, contact attempts and the end of participation: tables of values."""

from datetime import date

import pytest

from registry.visits import follow_up
from registry.visits.follow_up import Ended, Happened, LegSeen, Seen

ENROLLED = date(2026, 1, 10)
BASELINE = Seen(date(2026, 1, 10), "Baseline")
M06 = Seen(date(2026, 7, 10), "6 months")
DEATH = Happened("death", date(2026, 8, 1))


@pytest.mark.parametrize(
    ("event", "others", "rules"),
    [
        (Happened("cellulitis", date(2026, 2, 1), "left"), [], []),
        (Happened("cellulitis", date(2026, 1, 9)), [], ["event_before_enrolment"]),
        (Happened("cellulitis", ENROLLED), [], []),
        (Happened("cellulitis", date(2026, 8, 1)), [DEATH], []),
        (Happened("cellulitis", date(2026, 8, 2)), [DEATH], ["event_after_death"]),
        (Happened("dvt", date(2026, 2, 1)), [], ["event_without_leg"]),
        (Happened("amputation_toe", date(2026, 2, 1)), [], ["event_without_leg"]),
        (Happened("amputation_toe", date(2026, 2, 1), "right"), [], []),
        (DEATH, [], []),
        (Happened("death", date(2026, 7, 10)), [], []),
        (Happened("death", date(2026, 7, 9)), [], ["visit_after_death"]),
        (Happened("death", date(2026, 8, 2)), [DEATH], ["second_death"]),
        (DEATH, [Happened("death", date(2026, 8, 2))], []),
    ],
)
def test_an_event_against_enrolment_visits_and_death(event, others, rules):
    found = follow_up.event_contradictions(event, [event, *others], [BASELINE, M06], ENROLLED)
    assert [finding.rule for finding in found] == rules


BELOW, ABOVE = "amputated_below_knee", "amputated_above_knee"
CUT = date(2026, 5, 1)


@pytest.mark.parametrize(
    ("statuses", "events", "rules"),
    [
        (["present", "present"], [], []),
        ([BELOW, BELOW], [], []),  # lost before enrolment
        (["present", BELOW], [], [(2, "amputation_without_event")]),
        (["present", BELOW], [Happened("amputation_below_knee", CUT, "right")], []),
        (
            ["present", BELOW],
            [Happened("amputation_below_knee", CUT, "left")],
            [(2, "amputation_without_event")],
        ),
        (
            ["present", "present"],
            [Happened("amputation_below_knee", CUT, "right")],
            [(2, "amputation_not_in_leg_check")],
        ),
        (["present", "present"], [Happened("amputation_foot", CUT, "right")], []),
        (
            ["present", "present"],
            [Happened("amputation_below_knee", M06.on, "right")],
            [(2, "amputation_not_in_leg_check")],
        ),
        (
            ["present", ABOVE],
            [Happened("amputation_below_knee", CUT, "right")],
            [(2, "amputation_without_event")],
        ),
        ([BELOW, ABOVE], [Happened("amputation_above_knee", CUT, "right")], []),
        ([BELOW, "present"], [], [(2, "leg_came_back")]),
        ([ABOVE, BELOW], [], [(2, "leg_came_back")]),
    ],
)
def test_the_leg_checks_against_the_amputations(statuses, events, rules):
    checks = [
        LegSeen(number, seen.on, seen.place, status)
        for number, (seen, status) in enumerate(zip([BASELINE, M06], statuses, strict=True), 1)
    ]
    found = follow_up.leg_contradictions(checks, events, "right")
    assert [(key, finding.rule) for key, finding in found] == rules


def refusals(end, attempts=0, others=0):
    found = follow_up.end_refusals(end, attempts=attempts, others=others, enrolled_on=ENROLLED)
    return [finding.rule for finding in found]


@pytest.mark.parametrize("attempts", range(5))
def test_lost_to_follow_up_takes_three_attempts(attempts):
    refused = refusals(Ended(date(2026, 9, 1), "lost_to_follow_up"), attempts)
    assert refused == ([] if attempts >= 3 else ["lost_without_attempts"])
    assert follow_up.may_be_lost(attempts) is (not refused)


def test_participation_ends_once_and_not_before_it_began():
    assert refusals(Ended(date(2026, 1, 9), "moved")) == ["end_before_enrolment"]
    assert refusals(Ended(ENROLLED, "moved")) == []
    assert refusals(Ended(ENROLLED, "moved"), others=1) == ["ends_once"]


@pytest.mark.parametrize(
    ("end", "events", "rules"),
    [
        (Ended(date(2026, 8, 1), "died"), [DEATH], []),
        (Ended(date(2026, 8, 1), "died"), [], ["end_by_death_without_event"]),
        (Ended(date(2026, 8, 1), "moved"), [DEATH], ["death_not_the_reason"]),
        (Ended(date(2026, 7, 31), "moved"), [DEATH], []),  # died after the end
        (Ended(date(2026, 7, 10), "moved"), [], []),
        (Ended(date(2026, 7, 9), "moved"), [], ["ended_on_before_visit"]),
        (
            Ended(date(2026, 8, 1), "moved", date(2026, 7, 9)),
            [],
            ["last_known_alive_on_before_visit"],
        ),
        (Ended(date(2026, 8, 1), "died", date(2026, 8, 2)), [DEATH], ["alive_after_death"]),
    ],
)
def test_the_end_against_death_and_visits(end, events, rules):
    found = follow_up.end_contradictions(end, events, [BASELINE, M06])
    assert [finding.rule for finding in found] == rules
