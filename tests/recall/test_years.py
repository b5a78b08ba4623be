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
from django.db import connection

from registry.access.models import User
from registry.access.scope import scope
from registry.recall import actions
from registry.recall.models import Delivery, Digest, PlanningRun, Recall

from .clock import Clock
from .years.clinic import Clinic
from .years.oracle import AT_ONCE, OPENING, STANDARD, TOLD_TO, Oracle
from .years.places import BEGIN, END, FIRST, LAST, PLACES
from .years.story import outages, story

DAY, QUARTER = timedelta(days=1), timedelta(minutes=15)
SENT_EVERY = 100  # of how many planned days one's mails are sent


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch, BEGIN)


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
    actions.send(by=by, waiting=[(clinic.site, keys)], now=now)
    return sorted(
        (one.to[0].partition("@")[0], int(re.search(r": (\d+) ", one.subject)[1]))
        for one in mail.outbox
    )


def mail_of(kind):
    return "escalation" if kind in AT_ONCE else "daily"


def mails_foretold(kinds):
    """Recipient and number of recalls in each mail of a day, by the kinds told on it."""
    lines = Counter((mail_of(kind), role) for kind in kinds for role in TOLD_TO[kind])
    return sorted((role, count) for (_mail, role), count in lines.items())


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.prefix)
def test_seven_years_as_the_oracle_says(committed, settings, clock, place):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")  # nothing crashes here
    clinic = Clinic(place, clock)
    mailed = live_through(place, clinic, clock)
    oracle = Oracle(place, story(place))
    foretold = list(oracle.foretell(ticks(place)))

    names = clinic.names()
    with scope(clinic.coordinator, [clinic.site.pk]):
        rows = Recall.objects.values_list("digest__day", "label", "key", "kind", "digest__kind")
        told = [(day, names[label, key], kind, mail) for day, label, key, kind, mail in rows]
        runs = {run.day: run for run in PlanningRun.objects.all()}
        digests = Counter(Digest.objects.values_list("day", "kind"))
        sent_to = Delivery.objects.values_list("digest__day", "digest__kind", "recipient__name")
        recipients = Counter((day, mail, name.lower()) for day, mail, name in sent_to)

    # Each rule fires as often as the oracle says, and on the days it says.
    assert Counter(line[:3] for line in told) == Counter(foretold)
    switched_off = {kind for kind, days in place.days.items() if not days}
    times = Counter(kind for _day, _record, kind in foretold)
    assert set(times) == {*STANDARD, *OPENING.values()} - switched_off
    assert min(times.values()) > 1

    # Each day is planned once: at the first tick that finds the hour come, and never before it.
    assert {day: run.planned_at for day, run in runs.items()} == oracle.planned
    due = Counter(day for day, _record, _kind in foretold)
    assert all(run.due == due[day] for day, run in runs.items())
    for run in runs.values():
        here = run.planned_at.astimezone(place.zone)
        assert (here.date(), here.hour >= place.hour) == (run.day, True)

    # One daily mail a day and one of escalations, after an outage too, and none of missed days.
    assert digests == Counter({(day, mail_of(kind)) for day, _record, kind in foretold})
    days = {FIRST + n * DAY for n in range((LAST - FIRST).days)}
    assert len(days - runs.keys()) > 60
    lines = Counter(
        (day, record, kind == "consent") for day, record, kind, m in told if m == "daily"
    )
    assert max(lines.values()) == 1

    # Who is told, and how much the mails say.
    assert recipients == Counter(
        {(day, mail, role) for day, _record, kind, mail in told for role in TOLD_TO[kind]}
    )
    for day, mails in mailed.items():
        assert mails == mails_foretold([kind for when, _record, kind in foretold if when == day])
    assert any(mailed.values())
