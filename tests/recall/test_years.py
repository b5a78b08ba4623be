"""Seven simulated years at six sites, across every clock change and through many outages.

Each site lives through a story of its own while the real planning runs; an oracle that knows only
the story says what must stand in the ledger.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from registry.access.models import User
from registry.access.scope import scope
from registry.recall import actions
from registry.recall.models import Delivery, Digest, PlanningRun, Recall

from .years.clinic import Clinic
from .years.oracle import AT_ONCE, STANDARD, TOLD_TO, Oracle
from .years.places import BEGIN, END, FIRST, LAST, PLACES
from .years.story import outages, story

DAY, QUARTER = timedelta(days=1), timedelta(minutes=15)
SENT_EVERY = 100  # of how many planned days one's mails are sent


class Clock:
    """The registry's time, which stands until it is moved."""

    def __init__(self, monkeypatch):
        self.now = BEGIN
        clock = self

        class Stopped(datetime):
            @classmethod
            def now(cls, tz=None):
                return clock.now.astimezone(tz)

        monkeypatch.setattr(timezone, "datetime", Stopped)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def ticks(place) -> Iterator[datetime]:
    """Every quarter of an hour at which recall runs: each offset from UTC is of whole quarters."""
    coming, standing_until, tick = deque(sorted(outages(place))), BEGIN, BEGIN
    while tick < END:
        while coming and coming[0][0] <= tick:
            standing_until = max(standing_until, coming.popleft()[1])
        if tick >= standing_until:
            yield tick
        tick += QUARTER


def clock_changes(place, day: date) -> bool:
    """Whether the site's clock is changed on the day, the day before or the day after."""
    noons = [datetime.combine(day + n * DAY, time(12), place.zone) for n in (-2, -1, 0, 1)]
    return len({noon.utcoffset() for noon in noons}) > 1


def live_through(place, clinic, clock):
    """Let the story happen and plan at every tick; what was mailed on some of the days."""
    by, facts = User.objects.system("recall"), deque(story(place))
    planned, mailed = set(), {}
    for tick in ticks(place):
        day = tick.astimezone(place.zone).date()
        # A day that is planned is asked for again where clocks change, each hour.
        if day in planned and not (tick.minute == 0 and clock_changes(place, day)):
            continue
        while facts and facts[0][0] <= tick:
            clinic.happens(facts.popleft())
        clock.now = tick
        if actions.plan(by=by, site=clinic.site, now=tick):
            assert day not in planned
            planned.add(day)
            if len(planned) % SENT_EVERY == 0:
                mailed[day] = mails_of(day, clinic, by, tick)
    return mailed


def mails_of(day, clinic, by, now):
    """The mails of a day that was just planned: recipient and number of recalls."""
    mail.outbox = []
    with actions.at_site(clinic.site, by):
        keys = list(Delivery.objects.filter(digest__day=day).values_list("pk", flat=True))
    for key in keys:
        actions.send(by=by, site=clinic.site, delivery_id=key, now=now)
    return sorted(
        (one.to[0].partition("@")[0], int(re.search(r": (\d+) recall", one.subject)[1]))
        for one in mail.outbox
    )


def mails_foretold(told):
    """Recipient and number of recalls in each mail of a day, by the kinds told on it."""
    found = []
    for at_once in (True, False):
        kinds = [kind for kind in told if (kind in AT_ONCE) is at_once]
        lines = Counter(role for kind in kinds for role in TOLD_TO[kind])
        found += lines.items()
    return sorted(found)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.prefix)
def test_seven_years_as_the_oracle_says(committed, settings, clock, place):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.SITE_URL = "https://registry.example.org"
    clinic = Clinic(place, clock)
    mailed = live_through(place, clinic, clock)
    oracle = Oracle(place, story(place))
    foretold = list(oracle.foretell(ticks(place)))

    names = clinic.names()
    with scope(clinic.coordinator, [clinic.site.pk]):
        rows = Recall.objects.values_list("digest__day", "label", "key", "kind", "digest__kind")
        told = [(day, names[label, key], kind, which) for day, label, key, kind, which in rows]
        runs = list(PlanningRun.objects.values_list("day", "planned_at", "due"))
        digests = list(Digest.objects.values_list("day", "kind"))
        deliveries = Delivery.objects.values_list("digest__day", "digest__kind", "recipient__email")
        delivered = Counter((day, kind, to.partition("@")[0]) for day, kind, to in deliveries)

    # Each rule fires as often as the oracle says, on the days it says.
    assert Counter(line[:3] for line in told) == Counter(foretold)
    switched_off = {kind for kind, days in place.days.items() if not days}
    kinds = Counter(kind for _day, _record, kind in foretold)
    assert set(kinds) == {*STANDARD, "check_ulcers", "confirm_healing"} - switched_off
    assert min(kinds.values()) > 1

    # Each day is planned once, at the first tick at which recall runs and the hour has come.
    due = Counter(day for day, _record, _kind in foretold)
    assert {run[0]: run[1:] for run in runs} == {
        day: (moment, due[day]) for day, moment in oracle.planned.items()
    }
    assert len(runs) == len(oracle.planned)
    for day, planned_at, _due in runs:
        here = planned_at.astimezone(place.zone)
        assert (here.date(), here.hour >= place.hour) == (day, True)

    # A day has at most one daily mail, after an outage too, in which a record has one line.
    mails = {(day, "escalation" if kind in AT_ONCE else "daily") for day, _, kind in foretold}
    assert Counter(digests) == Counter(mails)
    lines = Counter(
        (day, record, kind == "consent") for day, record, kind, which in told if which == "daily"
    )
    assert max(lines.values()) == 1
    slept = [FIRST + n * DAY for n in range((LAST - FIRST).days) if FIRST + n * DAY not in due]
    never = [day for day in slept if day not in oracle.planned]
    assert len(never) > 60
    assert sum(clock_changes(place, day) for day in never) >= 0

    # Who is told, and what the mails say.
    assert delivered == Counter(
        {(day, which, role) for day, _record, kind, which in told for role in TOLD_TO[kind]}
    )
    by_day = {day: [kind for when, _record, kind in foretold if when == day] for day in mailed}
    assert mailed == {day: mails_foretold(told) for day, told in by_day.items()}
    assert any(mailed.values())
