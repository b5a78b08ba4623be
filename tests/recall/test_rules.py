"""The rules by tables, and against a plain oracle that walks day by day."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.recall.kinds import ESCALATIONS, Kind, Tuning
from registry.recall.rules import (
    Expected,
    Missing,
    Waiting,
    due,
    holding,
    of_missing,
    of_visit,
    of_waiting,
    sending_moment,
    standing,
)

OPENS, CLOSES = date(2026, 3, 1), date(2026, 4, 30)
VISIT = Expected(OPENS, CLOSES)
PLAIN = Tuning()
DAY = timedelta(days=1)


def held(visit, today, tuning=PLAIN):
    """Kind and occurrence of what holds in each course."""
    found = (holding(course, today) for course in of_visit(visit, tuning))
    return [(one.kind, one.occurrence) for one in found if one]


@pytest.mark.parametrize(
    ("today", "kind", "occurrence"),
    [
        (date(2026, 1, 29), None, None),
        (date(2026, 1, 30), Kind.COMING_UP, "2026-03-01-30"),
        (date(2026, 2, 21), Kind.COMING_UP, "2026-03-01-30"),
        (date(2026, 2, 22), Kind.COMING_UP, "2026-03-01-7"),
        (date(2026, 2, 28), Kind.COMING_UP, "2026-03-01-7"),
        (date(2026, 3, 1), Kind.OPEN, "2026-03-01+0"),
        (date(2026, 4, 22), Kind.OPEN, "2026-03-01+0"),
        (date(2026, 4, 23), Kind.CLOSING, "2026-04-30-7"),
        (date(2026, 4, 30), Kind.CLOSING, "2026-04-30-7"),
        (date(2026, 5, 6), Kind.CLOSING, "2026-04-30-7"),
        (date(2026, 5, 7), Kind.OVERDUE, "2026-04-30+7"),
        (date(2026, 5, 20), Kind.OVERDUE, "2026-04-30+7"),
        (date(2026, 5, 21), Kind.OVERDUE, "2026-04-30+21"),
        (date(2026, 6, 4), Kind.OVERDUE, "2026-04-30+35"),
        (date(2026, 6, 18), Kind.OVERDUE, "2026-04-30+49"),
        (date(2027, 6, 18), Kind.OVERDUE, "2026-04-30+49"),
    ],
)
def test_the_occasion_of_a_day(today, kind, occurrence):
    assert held(VISIT, today)[:1] == ([(kind, occurrence)] if kind else [])


@pytest.mark.parametrize(
    ("days", "kinds"),
    [
        (29, []),
        (30, [Kind.ESCALATED]),
        (59, [Kind.ESCALATED]),
        (60, [Kind.ESCALATED, Kind.ESCALATED_TWICE]),
    ],
)
def test_escalations_run_beside_the_sites_own_recalls(days, kinds):
    assert [kind for kind, _ in held(VISIT, CLOSES + days * DAY)[1:]] == kinds


@pytest.mark.parametrize(
    ("stem", "opening"), [("UC", Kind.CHECK_ULCERS), ("HC", Kind.CONFIRM_HEALING)]
)
def test_checks_are_told_by_what_they_ask_from_their_window_on(stem, opening):
    check = Expected(OPENS, OPENS + 14 * DAY, stem)
    assert held(check, OPENS - DAY) == []
    assert held(check, OPENS) == [(opening, "2026-03-01+0")]
    assert held(check, OPENS + 7 * DAY) == [(Kind.CLOSING, "2026-03-15-7")]
    assert held(check, OPENS + 21 * DAY) == [(Kind.OVERDUE, "2026-03-15+7")]


@pytest.mark.parametrize(
    ("kind", "today", "group"),
    [
        (Kind.OPEN, OPENS, Kind.OPEN),
        (Kind.CLOSING, CLOSES, Kind.CLOSING),
        (Kind.CLOSING, CLOSES + DAY, Kind.OVERDUE),
        (Kind.ESCALATED, CLOSES + 30 * DAY, Kind.ESCALATED),
    ],
)
def test_in_which_group_a_visit_stands_when_its_mail_goes(kind, today, group):
    assert standing(kind, VISIT, today) == group


def test_a_moved_window_is_a_new_occasion():
    told = {one.key for one in due(of_visit(VISIT, PLAIN), OPENS, ())}
    assert due(of_visit(VISIT, PLAIN), OPENS, told) == []
    moved = Expected(OPENS + DAY, CLOSES + DAY)
    assert [one.kind for one in due(of_visit(moved, PLAIN), OPENS + DAY, told)] == [Kind.OPEN]


def tuned(kind, **changes):
    setting = replace(PLAIN.settings[kind], **changes)
    return replace(PLAIN, settings={**PLAIN.settings, kind: setting})


def test_a_kind_switched_off_or_tuned():
    assert held(VISIT, OPENS, tuned(Kind.OPEN, on=False)) == [(Kind.COMING_UP, "2026-03-01-7")]
    assert held(VISIT, OPENS - 14 * DAY, tuned(Kind.COMING_UP, days=(14,))) == [
        (Kind.COMING_UP, "2026-03-01-14")
    ]
    assert held(VISIT, OPENS - 14 * DAY, tuned(Kind.COMING_UP, on=False)) == []


def test_a_snoozed_line_keeps_quiet_and_comes_back_on_its_day():
    course = next(of_visit(VISIT, PLAIN))
    until = OPENS + 10 * DAY
    assert holding(course, OPENS, until) is None
    assert holding(course, until - DAY, until) is None
    again = holding(course, until, until)
    assert (again.kind, again.since) == (Kind.OPEN, until)
    assert again.key != holding(course, OPENS).key
    later = CLOSES - 7 * DAY  # what begins after the snooze is told as ever
    assert holding(course, later, until) == holding(course, later)


def missing(attempts, last=None):
    (course,) = of_missing(Missing(CLOSES, attempts, last), PLAIN)
    (one,) = course
    return one.since


def test_an_attempt_is_asked_for_after_the_last_recall_and_two_weeks_after_each_other():
    assert missing(0) == CLOSES + 63 * DAY
    assert missing(1, CLOSES + 10 * DAY) == CLOSES + 63 * DAY
    assert missing(1, CLOSES + 70 * DAY) == CLOSES + 84 * DAY
    assert missing(2, CLOSES + 90 * DAY) == CLOSES + 104 * DAY
    assert list(of_missing(Missing(CLOSES, 3, CLOSES + 90 * DAY), PLAIN)) == []
    assert list(of_missing(Missing(CLOSES, 0), tuned(Kind.CONTACT, on=False))) == []


@pytest.mark.parametrize("kind", [Kind.QUERY, Kind.CONSENT, Kind.FILM_UNREAD, Kind.FILM_SENT_BACK])
def test_what_waits_is_told_after_each_of_its_days(kind):
    days = PLAIN.days(kind)
    for after in range(40):
        (course,) = of_waiting(Waiting(kind, OPENS), PLAIN)
        one = holding(course, OPENS + after * DAY)
        begun = [day for day in days if day <= after]
        assert (one and one.occurrence) == (f"{OPENS}+{begun[-1]}" if begun else None)


def plain_oracle(opens, closes, days):
    """The days on which a site is told of a visit: walk the calendar with the milestones in hand.

    Written without the rules: a milestone is told on the first running day from its date on,
    unless a later milestone's date has come by then.
    """
    milestones = [("coming_up", opens - 30 * DAY), ("coming_up", opens - 7 * DAY), ("open", opens)]
    if closes - 7 * DAY > opens:
        milestones.append(("closing", closes - 7 * DAY))
    else:
        milestones[-1] = ("closing", opens)
    milestones += [("overdue", closes + after * DAY) for after in (7, 21, 35, 49)]
    told, waiting = [], None
    for today, running in days:
        while milestones and milestones[0][1] <= today:
            waiting = milestones.pop(0)[0]
        if running and waiting:
            told.append((today, waiting))
            waiting = None
    return told


@given(
    length=st.integers(0, 120),
    running=st.lists(st.booleans(), min_size=240, max_size=240),
    always=st.booleans(),
)
def test_each_occasion_is_told_as_often_as_the_oracle_says(length, running, always):
    closes = OPENS + length * DAY
    start = OPENS - 40 * DAY
    days = [(start + n * DAY, up or always) for n, up in enumerate(running)]
    told, escalated, seen = [], [], set()
    for today, up in days:
        if not up:
            continue
        for one in due(of_visit(Expected(OPENS, closes), PLAIN), today, seen):
            seen.add(one.key)
            (escalated if one.kind in ESCALATIONS else told).append((today, one.kind))
    assert told == plain_oracle(OPENS, closes, days)
    for kind, after in ((Kind.ESCALATED, 30), (Kind.ESCALATED_TWICE, 60)):
        first = next((day for day, up in days if up and day >= closes + after * DAY), None)
        assert [day for day, one in escalated if one == kind] == ([first] if first else [])


ZONES = [
    "Asia/Tokyo",
    "America/Sao_Paulo",
    "Europe/London",
    "Pacific/Auckland",
    "Asia/Kathmandu",
    "America/Los_Angeles",
    "Australia/Lord_Howe",
    "America/Nuuk",
    "America/Havana",
    "Africa/Cairo",
]


@pytest.mark.parametrize("name", ZONES)
def test_every_day_has_one_sending_moment_on_that_day(name):
    """Seven years with every clock change: a minute's tick sees the moment pass on each day."""
    zone = ZoneInfo(name)
    for hour in (0, 1, 2, 3, 7, 23):
        day = date(2014, 1, 1)
        while day < date(2021, 1, 1):
            moment = sending_moment(day, hour, zone)
            local = moment.astimezone(zone)
            assert local.date() == day
            if local.hour != hour:  # the hour does not exist: the clock jumped beside it
                before = (moment - timedelta(hours=2)).astimezone(zone).utcoffset()
                after = (moment + timedelta(hours=2)).astimezone(zone).utcoffset()
                assert before < after
                assert abs(local.hour - hour) == 1
            day += timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "day", "hour", "moment"),
    [
        # 02:00 → 03:00 on this day: the hour is left out, and the mail goes when it is 03:00.
        ("America/Los_Angeles", date(2026, 3, 8), 2, datetime(2026, 3, 8, 10, tzinfo=UTC)),
        # 02:00 → 01:00: the hour comes twice, the first one counts.
        ("America/Los_Angeles", date(2026, 11, 1), 1, datetime(2026, 11, 1, 8, tzinfo=UTC)),
        # 00:00 → 01:00 in Brazil's last summer time.
        ("America/Sao_Paulo", date(2018, 11, 4), 0, datetime(2018, 11, 4, 3, tzinfo=UTC)),
        # 23:00 → 00:00: the day ends without its last hour, and the mail goes at 22:00.
        ("America/Nuuk", date(2026, 3, 28), 23, datetime(2026, 3, 29, 0, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2026, 3, 28), 7, datetime(2026, 3, 28, 1, 15, tzinfo=UTC)),
    ],
)
def test_sending_moments_at_clock_changes(zone, day, hour, moment):
    assert sending_moment(day, hour, ZoneInfo(zone)) == moment
