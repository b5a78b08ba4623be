"""What calendars are told: the rule by a table, and by whatever may happen to an appointment."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.recall.calendar import Booking, Method, Told, change

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EARLIER, SOON, LATER = (Booking(NOON + timedelta(hours=hours), "Room 4") for hours in (-2, 20, 44))
ELSEWHERE = Booking(SOON.at, "Room 5")


@pytest.mark.parametrize(
    ("last", "now", "told"),
    [
        # nothing told yet
        (None, None, None),
        (None, SOON, Told(0, SOON)),
        (None, EARLIER, None),
        (None, Booking(NOON), None),
        # it stands in calendars
        (Told(0, SOON), SOON, None),
        (Told(0, SOON), LATER, Told(1, LATER)),
        (Told(0, SOON), ELSEWHERE, Told(1, ELSEWHERE)),
        (Told(3, SOON), None, Told(4, None)),
        (Told(0, SOON), EARLIER, Told(1, EARLIER)),
        (Told(0, EARLIER), EARLIER, None),
        (Told(0, EARLIER), None, Told(1, None)),
        # it was taken out
        (Told(4, None), None, None),
        (Told(4, None), SOON, Told(5, SOON)),
        (Told(4, None), EARLIER, None),
    ],
)
def test_what_is_told(last, now, told):
    assert change(last, now, NOON) == told


def test_what_is_told_is_asked_for_by_its_method():
    assert Told(0, SOON).method == Method.REQUEST == "REQUEST"
    assert Told(1, None).method == Method.CANCEL == "CANCEL"


BOOKINGS = st.none() | st.builds(
    Booking,
    st.integers(-50, 50).map(lambda hours: NOON + timedelta(hours=hours)),
    st.sampled_from(["", "Room 4"]),
)


@given(st.lists(st.tuples(st.integers(0, 30), BOOKINGS)))
def test_calendars_end_up_with_what_holds(steps):
    """Hours go by, and appointments are made, moved and given up."""
    last, moment, now, mails = None, NOON - timedelta(hours=60), None, []
    for hours, now in steps:
        moment += timedelta(hours=hours)
        if told := change(last, now, moment):
            mails.append(told)
            last = told
        assert change(last, now, moment) is None  # a second look tells nothing
        if last and last.booking != now:
            # Only one thing is not told: a new appointment that has passed.
            assert last.booking is None
            assert now.at <= moment
    assert [told.sequence for told in mails] == list(range(len(mails)))
    for before, told in zip([None, *mails], mails, strict=False):
        assert told.booking != (before and before.booking)
        if told.method == Method.CANCEL:
            assert before.method == Method.REQUEST
