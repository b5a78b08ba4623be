"""Several ticks, workers and crashes at once: one mail each."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from registry.access.models import Site, User
from registry.access.scope import user_scope
from registry.recall import actions, signed, tasks
from registry.recall.actions import Outcome, planning
from registry.recall.models import Bounce, Delivery, Digest, MailStop, PlanningRun

from ..people import make_cast
from . import reports
from .scene import noon, outstanding

pytestmark = pytest.mark.slow


@pytest.fixture
def morning(committed):
    """The cast, with two visits due in Tokyo and one in Rio, each site's hour come."""
    cast = make_cast()
    for by in (cast.ana, cast.ana, cast.ben):
        outstanding(by, opens=-3, closes=60)
    with user_scope(cast.kei):
        Site.objects.update(sending_hour=0)
    return cast


def at_once(times, action):
    """Run ``action`` in ``times`` threads that start together, each with its own connection."""
    start = threading.Barrier(times)

    def run(_number):
        try:
            start.wait()
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def test_eight_ticks_at_once_send_each_mail_once(morning, sink, eager):
    at_once(8, tasks.tick)
    assert sink.addresses == ["ana@example.org", "ben@example.org", "hiro@example.org"]
    with user_scope(morning.eli):
        assert PlanningRun.objects.count() == Digest.objects.count() == 2
        assert {d.state for d in Delivery.objects.all()} == {Delivery.State.SENT}
        assert {d.attempts for d in Delivery.objects.all()} == {1}


def test_one_of_eight_claims_wins(morning, sink):
    by, site = User.objects.system("recall"), morning.tokyo
    actions.plan(by=by, site=site, now=noon(site))
    key = actions.unfinished(by=by, site=site)[0]
    outcomes = at_once(8, lambda: actions.send(by=by, waiting=[(site, [key])], now=noon(site)))
    assert sorted(outcomes, key=len) == [{}] * 7 + [{key: Delivery.State.SENT}]
    assert len(sink.mails) == 1


def test_the_claim_is_there_for_all_to_see_while_the_server_thinks(morning, sink):
    """No transaction is open while the mail is on its way."""
    by, site = User.objects.system("recall"), morning.tokyo
    actions.plan(by=by, site=site, now=noon(site))
    key = actions.unfinished(by=by, site=site)[0]
    seen = []

    def look():
        with user_scope(morning.ana):
            seen.append(Delivery.objects.get(pk=key).state)
            cursor = connection.cursor()
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%%' AND pid <> pg_backend_pid()"
            )
            seen.extend(cursor.fetchone())
        connection.close()

    sink.before_accepting = look
    actions.send(by=by, waiting=[(site, [key])], now=noon(site))
    assert seen == [Delivery.State.CLAIMED, 0]


def test_a_planner_that_dies_leaves_nothing_half_written(morning, monkeypatch):
    by, site = User.objects.system("recall"), morning.tokyo
    with monkeypatch.context() as dying:
        dying.setattr(planning, "_message_id", lambda *_key: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            actions.plan(by=by, site=site, now=noon(site))
    with user_scope(morning.eli):
        assert PlanningRun.objects.count() == Digest.objects.count() == 0
    assert actions.plan(by=by, site=site, now=noon(site)).due == 2


def test_sending_refuses_to_run_inside_a_transaction(morning, sink):
    by, site = User.objects.system("recall"), morning.tokyo
    actions.plan(by=by, site=site, now=noon(site))
    key = actions.unfinished(by=by, site=site)[0]
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        actions.send(by=by, waiting=[(site, [key])], now=noon(site))
    assert sink.mails == []


def test_three_that_come_back_at_the_same_time_stop_the_address_and_are_told_once(
    morning, sink, settings
):
    """Each read by two processes at once."""
    settings.BOUNCE_ADDRESS = "bounce@registry.example.org"
    by, site = User.objects.system("recall"), morning.tokyo
    for day in range(3):
        outstanding(morning.ana, opens=-3, closes=60)
        actions.plan(by=by, site=site, now=noon(site, day))
    with user_scope(morning.eli):
        keys = Delivery.objects.filter(recipient=morning.hiro).values_list("pk", flat=True)
        messages = [
            reports.dsn(to=signed.return_address(key), own_id=f"<{key}@mx>") for key in keys
        ]
    queue = iter(2 * messages)
    outcomes = at_once(6, lambda: actions.take_in(by=by, raw=next(queue)))
    assert sorted(outcomes) == [Outcome.AGAIN] * 3 + [Outcome.HARD] * 3
    at_once(4, lambda: actions.tell(by=by, site=site, now=noon(site, 3)))
    with user_scope(morning.eli):
        assert Bounce.objects.count() == 3
        assert MailStop.objects.count() == 1
        assert Delivery.objects.filter(digest__kind="bounces").count() == 1
