"""A batch: one claim, one connection, and each mail for itself."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from kombu.exceptions import OperationalError as BrokerError

from registry.access.models import Membership, Site, User
from registry.access.scope import user_scope
from registry.recall import actions, letter, tasks
from registry.recall.actions import sending
from registry.recall.actions.claims import Claim
from registry.recall.models import Delivery

from ..people import make_cast
from .scene import noon, outstanding

pytestmark = pytest.mark.slow

State = Delivery.State


def coordinators(cast, *languages):
    """Ana, and one more coordinator in Tokyo for each of ``languages``; Hiro goes."""
    with user_scope(cast.kei):
        Membership.objects.filter(user=cast.hiro).delete()
        for number, language in enumerate(languages):
            user = User.objects.create(
                email=f"more{number}@example.org", name=f"More {number}", language=language
            )
            Membership.objects.create(user=user, site=cast.tokyo, role="coordinator")


def plan(cast, *languages):
    """Tokyo's day with one visit due; the keys of its deliveries, Ana's first."""
    coordinators(cast, *languages)
    outstanding(cast.ana, opens=-3, closes=60)
    by = User.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
    return actions.unfinished(by=by, site=cast.tokyo)


def send(cast, keys):
    by = User.objects.system("recall")
    return actions.send(by=by, waiting=[(cast.tokyo, keys)], now=noon(cast.tokyo))


def rows(cast):
    """Tokyo's deliveries by address."""
    with user_scope(cast.ana):
        return {row.address: row for row in Delivery.objects.all()}


def states(cast):
    return {address.partition("@")[0]: row.state for address, row in rows(cast).items()}


@pytest.mark.parametrize("number", [0, 1, 49, 50, 51, 101, 554])
def test_batches_hold_every_key_once_in_order_and_are_of_one_size(number):
    found = [list(some) for some in actions.batches(range(number))]
    assert [key for some in found for key in some] == list(range(number))
    sizes = {len(some) for some in found}
    assert max(sizes, default=0) <= sending.BATCH
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_it_goes_over_one_connection(cast, sink):
    assert set(send(cast, plan(cast, "en", "ja", "en")).values()) == {State.SENT}
    assert (len(sink.mails), len(set(sink.peers))) == (4, 1)


def test_a_letter_is_written_once_a_language(cast, sink, monkeypatch):
    written = []
    render = letter.render
    monkeypatch.setattr(
        letter, "render", lambda one, **more: (written.append(one.language), render(one, **more))[1]
    )
    send(cast, plan(cast, "ja", "en", "ja", "pt-br"))
    assert sorted(written) == ["en", "ja", "pt-br"]
    kept = rows(cast)
    for address, message, _raw in sink.mails:
        assert message["Subject"] == kept[address].subject
    assert kept["more0@example.org"].subject == kept["more2@example.org"].subject
    assert kept["more0@example.org"].subject != kept["ana@example.org"].subject


def test_a_refused_recipient_leaves_the_connection_to_the_next(cast, sink):
    keys = plan(cast, "en", "en")
    sink.refused = {"ana@example.org": "550 no such mailbox", "more0@example.org": "450 busy"}
    assert list(send(cast, keys).values()) == [State.FAILED, State.PLANNED, State.SENT]
    assert rows(cast)["ana@example.org"].error == "550 no such mailbox"
    assert sink.addresses == ["more1@example.org"]


@pytest.mark.parametrize("answer", ["421 good-bye", "554 no such mail", "451 not this one"])
def test_what_the_server_refuses_of_one_keeps_no_other_from_going(cast, sink, answer):
    keys = plan(cast, "en", "en")
    sink.answers = {"more0@example.org": answer}
    send(cast, keys)
    assert sink.addresses == ["ana@example.org", "more1@example.org"]
    failed = rows(cast)["more0@example.org"]
    assert (failed.error, failed.attempts) == (answer, 1)


def test_a_server_that_hangs_up_at_a_recipient_is_called_again_for_the_next(cast, sink):
    keys = plan(cast, "en", "en")
    sink.refused = {"more0@example.org": "421 too many of yours"}
    assert list(send(cast, keys).values()) == [State.SENT, State.PLANNED, State.SENT]
    assert len(set(sink.peers)) == 2


def test_a_connection_dropped_after_the_mail_repeats_that_mail_alone(cast, sink):
    keys = plan(cast, "en", "en")
    sink.drops = {"more0@example.org"}
    assert list(send(cast, keys).values()) == [State.SENT, State.PLANNED, State.SENT]
    assert "SMTPServerDisconnected" in rows(cast)["more0@example.org"].error
    assert len(set(sink.peers)) == 2


def test_a_server_that_is_down_is_asked_once_for_the_whole_batch(cast, sink, settings, monkeypatch):
    keys = plan(cast, "en", "en")
    settings.EMAIL_PORT = 1
    asked = []
    fail = sending.judge
    monkeypatch.setattr(sending, "judge", lambda error: (asked.append(error), fail(error))[1])
    assert set(send(cast, keys).values()) == {State.PLANNED}
    assert len(asked) == 3
    assert len(set(asked)) == 1
    assert {row.attempts for row in rows(cast).values()} == {1}


def test_what_a_slow_server_leaves_no_time_for_goes_back_unsent(cast, sink, monkeypatch):
    """Facts are read again for it, and it was not tried yet."""
    keys = plan(cast, "en", "en")
    slow = threading.Event()
    sink.before_accepting = lambda: slow.wait(0.3)
    monkeypatch.setattr(sending, "FACTS_HOLD", timedelta(seconds=0.2))
    assert send(cast, keys) == {keys[0]: State.SENT}
    assert states(cast) == {"ana": "sent", "more0": "planned", "more1": "planned"}
    back = [row for row in rows(cast).values() if row.state == "planned"]
    assert {(row.attempts, row.text, row.subject) for row in back} == {(0, "", "")}
    assert set(send(cast, keys)) == {keys[1]}


@pytest.mark.parametrize("error", [ZeroDivisionError("one"), ValueError("one")])
def test_a_letter_that_cannot_be_written_is_tried_again_and_keeps_no_other_from_going(
    cast, sink, monkeypatch, error
):
    keys = plan(cast, "ja", "en")
    render = letter.render

    def failing(one, **more):
        if one.language == "ja":
            raise error
        return render(one, **more)

    monkeypatch.setattr(letter, "render", failing)
    assert list(send(cast, keys).values()) == [State.PLANNED, State.SENT, State.SENT]
    failed = rows(cast)["more0@example.org"]
    assert (failed.error, failed.attempts) == (f"{type(error).__name__}: one", 1)
    assert send(cast, keys) == {}  # not before its time


def test_who_dies_on_the_way_repeats_the_one_mail_in_flight(cast, sink, monkeypatch):
    keys = plan(cast, "en", "en", "en")
    stamp, left = Claim.stamp, iter([True, True])

    def dying(*args, **outcome):
        return stamp(*args, **outcome) if next(left, False) else 1 / 0

    with monkeypatch.context() as life:
        life.setattr(Claim, "stamp", dying)
        with pytest.raises(ZeroDivisionError):
            send(cast, keys)
    assert send(cast, keys) == {}  # claimed
    with user_scope(cast.ana):
        for delivery in Delivery.objects.filter(state=State.CLAIMED):
            Delivery.objects.filter(pk=delivery.pk).update(
                claimed_at=delivery.claimed_at - timedelta(minutes=11)
            )
    assert send(cast, keys) == dict.fromkeys(keys[2:], State.SENT)
    names = [address.partition("@")[0] for address, _message, _raw in sink.mails]
    assert names == ["ana", "more0", "more1", "more1", "more2"]


def test_a_broker_that_is_down_loses_nothing(cast, sink, eager, monkeypatch):
    outstanding(cast.ana, opens=-3, closes=60)
    with user_scope(cast.kei):
        Site.objects.update(sending_hour=0)

    def down(*args, **options):
        raise BrokerError("away")

    with monkeypatch.context() as away:
        away.setattr(tasks.send_deliveries, "apply_async", down)
        with pytest.raises(BrokerError):
            tasks.tick()
    assert sink.mails == []
    tasks.tick()
    assert sink.addresses == ["ana@example.org", "hiro@example.org"]


# -- what commits -------------------------------------------------------------------------------


@pytest.fixture
def morning(committed):
    return make_cast()


def test_a_database_that_ends_every_connection_in_between_repeats_no_mail(morning, sink, caplog):
    keys = plan(morning, "en", "en")

    def restart():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()

    sink.before_accepting = restart
    assert set(send(morning, keys).values()) == {State.SENT}
    assert len(sink.mails) == 3
    assert set(states(morning).values()) == {"sent"}
    assert "The database is away" in caplog.text


def test_batches_that_overlap_send_each_mail_once(morning, sink):
    keys = plan(morning, *["en"] * 11)
    start = threading.Barrier(6)

    def one(number):
        try:
            start.wait()
            return send(morning, (keys if number % 2 else keys[::-1])[number:])
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(one, range(6)))
    assert sorted(key for outcome in outcomes for key in outcome) == keys
    assert len(sink.addresses) == len(set(sink.addresses)) == 12
