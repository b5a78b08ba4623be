"""The rules by tables, and against a plain oracle that walks day by day."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.recall.rules import Facts, Kind, due, occasion, sending_moment, standing

OPENS, CLOSES = date(2026, 3, 1), date(2026, 4, 30)
VISIT = Facts(OPENS, CLOSES)


@pytest.mark.parametrize(
    ("today", "kind", "occurrence"),
    [
        (date(2026, 2, 21), None, None),
        (date(2026, 2, 22), Kind.COMING_UP, "2026-03-01"),
        (date(2026, 2, 28), Kind.COMING_UP, "2026-03-01"),
        (date(2026, 3, 1), Kind.OPEN, "2026-03-01"),
        (date(2026, 4, 22), Kind.OPEN, "2026-03-01"),
        (date(2026, 4, 23), Kind.CLOSING, "2026-04-30"),
        (date(2026, 4, 30), Kind.CLOSING, "2026-04-30"),
        (date(2026, 5, 6), Kind.CLOSING, "2026-04-30"),
        (date(2026, 5, 7), Kind.OVERDUE, "2026-04-30+7"),
        (date(2026, 5, 20), Kind.OVERDUE, "2026-04-30+7"),
        (date(2026, 5, 21), Kind.OVERDUE, "2026-04-30+21"),
        (date(2026, 6, 4), Kind.OVERDUE, "2026-04-30+35"),
        (date(2026, 6, 18), Kind.OVERDUE, "2026-04-30+49"),
        (date(2027, 6, 18), Kind.OVERDUE, "2026-04-30+49"),
    ],
)
def test_the_occasion_of_a_day(today, kind, occurrence):
    holds = occasion(VISIT, today)
    assert (holds and holds.kind, holds and holds.occurrence) == (kind, occurrence)


@pytest.mark.parametrize(
    ("today", "where"),
    [
        (date(2026, 2, 22), Kind.COMING_UP),
        (date(2026, 3, 1), Kind.OPEN),
        (date(2026, 4, 22), Kind.OPEN),
        (date(2026, 4, 23), Kind.CLOSING),
        (date(2026, 4, 30), Kind.CLOSING),
        (date(2026, 5, 1), Kind.OVERDUE),
    ],
)
def test_where_a_visit_stands(today, where):
    assert standing(VISIT, today) == where


@pytest.mark.parametrize("why", ["attended", "missed", "cancelled", "stopped"])
@given(day=st.integers(-400, 400))
def test_who_is_settled_or_stopped_is_never_recalled(why, day):
    assert occasion(Facts(OPENS, CLOSES, **{why: True}), OPENS + timedelta(days=day)) is None


def test_a_moved_window_is_a_new_occasion():
    told = {occasion(VISIT, OPENS).key}
    assert due(VISIT, OPENS, told) is None
    moved = Facts(OPENS + timedelta(days=1), CLOSES + timedelta(days=1))
    assert due(moved, OPENS + timedelta(days=1), told).kind == Kind.OPEN


def plain_oracle(opens, closes, days):
    """The days on which a visit is told of: walk the calendar with the milestones in hand.

    Written without the rules: a milestone is told on the first running day from its date on,
    unless a later milestone's date has come by then.
    """
    day = timedelta(days=1)
    milestones = [("coming_up", opens - 7 * day), ("open", opens)]
    if closes - 7 * day > opens:
        milestones.append(("closing", closes - 7 * day))
    else:
        milestones[-1] = ("closing", opens)
    milestones += [("overdue", closes + after * day) for after in (7, 21, 35, 49)]
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
    running=st.lists(st.booleans(), min_size=220, max_size=220),
    always=st.booleans(),
)
def test_each_occasion_is_told_as_often_as_the_oracle_says(length, running, always):
    closes = OPENS + timedelta(days=length)
    start = OPENS - timedelta(days=20)
    days = [(start + timedelta(days=n), up or always) for n, up in enumerate(running)]
    told, seen = [], set()
    for today, up in days:
        one = due(Facts(OPENS, closes), today, seen) if up else None
        if one:
            seen.add(one.key)
            told.append((today, one.kind))
    assert told == plain_oracle(OPENS, closes, days)


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
