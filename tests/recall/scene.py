"""A site with a visit due, its clock, and what a tick does with it."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from registry.access.models import User
from registry.access.scope import user_scope
from registry.recall import actions, tasks
from registry.visits.models import Visit

from .. import build

CANARY = "Kanarie"
# What of :func:`canary` would betray somebody; other canaries are CANARY and a number.
BETRAYALS = re.compile(rf"{CANARY}|11114242|\b1951\b|23 jul|female", re.IGNORECASE)


def canary():
    """A person of whom nothing may stand in any mail."""
    return build.person(
        family_name=f"{CANARY}1",
        given_name=f"{CANARY}2",
        hospital_number=f"{CANARY}3",
        phone="0311114242",
        email="kanarie4@example.net",
        address=f"{CANARY}5",
        birth_date=date(1951, 7, 23),
    )


def listen(monkeypatch):
    """The arguments of every sending that is queued from now on."""
    queued, apply_async = [], tasks.send_deliveries.apply_async

    def heard(args, **options):
        queued.append((args, options))
        return apply_async(args, **options)

    monkeypatch.setattr(tasks.send_deliveries, "apply_async", heard)
    return queued


def noon(site, days=0):
    """Noon of the site's today, or ``days`` later."""
    return datetime.combine(site.today + timedelta(days=days), time(12), site.zone)


def outstanding(by, *, opens, closes, code="M24", **about):
    """A participant's only outstanding visit, its window in days from the site's today.

    A control, for they have the fewest visits and forms to plan.
    """
    participant = build.participant(by, arm="control", **about)
    today = build.site_of(by).today
    with user_scope(by):
        visits = Visit.objects.filter(participant=participant)
        visits.exclude(code=code).update(missed_because="moved away for a while")
        visits.filter(code=code).update(
            opens_on=today + timedelta(days=opens),
            target_on=today + timedelta(days=(opens + closes) // 2),
            closes_on=today + timedelta(days=closes),
        )
        return visits.select_related("participant__site").get(code=code)


def recall(site, *, days=0, **options):
    """Plan the site's day and send what waits: what a tick does, at noon of that day."""
    by, now = User.objects.system("recall"), noon(site, days)
    run = actions.plan(by=by, site=site, now=now, **options)
    return run, send_waiting(site, now)


def send_waiting(site, now):
    """Send the site's mails that wait; what became of each."""
    by = User.objects.system("recall")
    keys = actions.unfinished(by=by, site=site)
    return list(actions.send(by=by, waiting=[(site, keys)], now=now).values())
