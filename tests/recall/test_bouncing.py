"""What mails that came back do: marked, told, and after three nothing more is sent."""

import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.access.models import User
from registry.access.scope import user_scope
from registry.core.errors import RefusedError
from registry.recall import actions, signed
from registry.recall.actions import Outcome
from registry.recall.models import Bounce, Delivery, Digest, MailStop, Recall

from . import reports
from .scene import noon, outstanding, send_waiting

pytestmark = pytest.mark.slow

State = Delivery.State


@pytest.fixture(autouse=True)
def bounce_address(settings):
    settings.BOUNCE_ADDRESS = "bounce@registry.example.org"


def take_in(raw):
    return actions.take_in(by=User.objects.system("recall"), raw=raw)


def day(cast, days, site=None):
    """Plan and send the site's day ``days`` from today, as the ticks of that day do."""
    site = site or cast.tokyo
    by, now = User.objects.system("recall"), noon(site, days)
    actions.plan(by=by, site=site, now=now)
    actions.tell(by=by, site=site, now=now)
    send_waiting(site, now)


def mailed(cast, who, times=1):
    """The deliveries of so many daily mails of Tokyo to ``who``, each on a day of its own."""
    with user_scope(cast.eli):
        done = Digest.objects.filter(kind="daily").count()
    for one in range(done, done + times):
        outstanding(cast.ana, opens=-3, closes=60)
        day(cast, one)
    with user_scope(cast.eli):
        deliveries = Delivery.objects.filter(recipient=who, digest__kind="daily")
        return list(deliveries.order_by("pk"))[-times:]


def came_back(delivery, **about):
    to = signed.return_address(delivery.pk)
    own_id = f"<{about.pop('own', delivery.pk)}@mx.example.org>"
    return take_in(reports.dsn(to=to, sent=delivery.message_id, own_id=own_id, **about))


def bounces(cast):
    with user_scope(cast.eli):
        return list(Bounce.objects.all())


def stops():
    return list(MailStop.objects.filter(lifted_at=None).values_list("address", flat=True))


def notices(sink, address="ines@example.org"):
    return [
        message
        for to, message, _raw in sink.mails
        if to == address and "List-Unsubscribe" not in message
    ]


# -- whose mail it is ----------------------------------------------------------------------------


def test_a_mail_goes_out_under_a_return_address_of_its_own(cast, sink):
    for who in (cast.ana, cast.hiro):
        (delivery,) = mailed(cast, who)
        assert signed.return_address(delivery.pk) in sink.senders
    assert len(set(sink.senders)) == len(sink.senders)
    for sender in sink.senders:
        local, _, host = sender.partition("@")
        assert host == "registry.example.org"
        assert re.fullmatch(r"bounce\+\d+\.[a-z2-7]{16}", local)
    (_address, message, _raw) = sink.mails[0]
    assert message["From"] == "Saphena <saphena@localhost>"


def test_a_return_address_fits_into_64_octets_whatever_its_number(settings):
    settings.BOUNCE_ADDRESS = f"{'b' * 27}@registry.example.org"
    local, _, _host = signed.return_address(2**63 - 1).partition("@")
    assert len(local) <= 64


def test_without_a_bounce_address_the_common_sender_is_used(cast, sink, settings):
    settings.BOUNCE_ADDRESS = ""
    mailed(cast, cast.ana)
    assert set(sink.senders) == {"saphena@localhost"}


@pytest.mark.parametrize("report", ["dsn", "exchange", "gmail", "qmail", "provider_of_japan"])
@pytest.mark.parametrize("proof", ["address", "message_id"])
def test_a_bounce_is_known_by_its_return_address_or_the_mails_message_id(cast, sink, report, proof):
    (delivery,) = mailed(cast, cast.hiro)
    to = signed.return_address(delivery.pk) if proof == "address" else "saphena@example.org"
    sent = delivery.message_id if proof == "message_id" else "<gone@example.org>"
    assert take_in(getattr(reports, report)(to=to, sent=sent)) == Outcome.HARD
    (bounce,) = bounces(cast)
    assert (bounce.delivery_id, bounce.hard, bounce.site_id) == (delivery.pk, True, cast.tokyo.pk)


def test_a_mail_server_may_change_the_case_of_an_address(cast, sink):
    (delivery,) = mailed(cast, cast.hiro)
    to = signed.return_address(delivery.pk).upper()
    assert take_in(reports.dsn(to=to)) == Outcome.HARD


def test_a_key_that_was_replaced_still_holds_for_what_is_under_way(cast, sink, settings):
    (delivery,) = mailed(cast, cast.hiro)
    to = signed.return_address(delivery.pk)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert take_in(reports.dsn(to=to)) == Outcome.HARD
    settings.SECRET_KEY_FALLBACKS = []
    assert take_in(reports.dsn(to=to, own_id="<2@x>")) == Outcome.UNKNOWN


def test_a_forged_or_borrowed_signature_records_nothing(cast, sink):
    mine, other = mailed(cast, cast.hiro)[0], mailed(cast, cast.ana)[0]
    seal = signed.return_address(other.pk).split(".")[1].split("@")[0]
    for forged in (
        f"bounce+{mine.pk}.{'a' * 16}@registry.example.org",
        f"bounce+{mine.pk}.{seal}@registry.example.org",
        f"bounce+{mine.pk}@registry.example.org",
        f"bounce+{10**18}.{seal}@registry.example.org",
        "bounce@registry.example.org",
    ):
        assert take_in(reports.dsn(to=forged)) == Outcome.UNKNOWN
    assert bounces(cast) == []


def test_a_message_id_cannot_be_guessed(cast, sink):
    (delivery,) = mailed(cast, cast.hiro)
    name, _seal, host = re.fullmatch(r"<(.+)\.(\w+)(@.+)>", delivery.message_id).groups()
    guesses = [
        f"<{name}{host}>",
        f"<{name}.{'a' * 16}{host}>",
        f"<{name}.{signed.seal('x')}{host}>",
    ]
    for guess in guesses:
        assert take_in(reports.dsn(to="x@y.z", sent=guess)) == Outcome.UNKNOWN


def test_the_same_message_read_twice_is_one_bounce(cast, sink):
    (delivery,) = mailed(cast, cast.hiro)
    assert [came_back(delivery), came_back(delivery)] == [Outcome.HARD, Outcome.AGAIN]
    assert len(bounces(cast)) == 1


@pytest.mark.parametrize(
    "message",
    [
        lambda to: reports.reply("Auto-Submitted: auto-replied", to=to),
        lambda to: reports.dsn(to=to, action="delivered", status="2.0.0", said="smtp; 250 ok"),
    ],
    ids=["away", "receipt"],
)
def test_an_automatic_answer_is_taken_off_and_records_nothing(cast, sink, message):
    (delivery,) = mailed(cast, cast.hiro)
    assert take_in(message(signed.return_address(delivery.pk))) == Outcome.AUTOMATIC
    assert bounces(cast) == []


def test_an_answer_by_a_person_stays_for_a_person(cast, sink):
    (delivery,) = mailed(cast, cast.hiro)
    raw = reports.reply("Subject: Re: Tokyo", to=signed.return_address(delivery.pk))
    assert take_in(raw) == Outcome.UNKNOWN


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    raw=st.binary(max_size=2000), at=st.integers(0, 3000), sample=st.sampled_from(["dsn", "qmail"])
)
def test_nothing_that_a_stranger_can_send_is_recorded(cast, raw, at, sample):
    """Any octets, alone and put into a report that would count if its proof were right."""
    report = getattr(reports, sample)()
    for message in (raw, report[:at] + raw + report[at:]):
        assert take_in(message) in (Outcome.UNKNOWN, Outcome.AUTOMATIC)
    assert bounces(cast) == []


# -- what follows --------------------------------------------------------------------------------


def test_a_mail_that_came_back_is_a_red_line_at_its_site_and_at_no_other(cast, sink, client):
    (delivery,) = mailed(cast, cast.hiro)
    came_back(delivery, said="smtp; 550 5.1.1 <hiro@example.org> & nobody of that name")
    said = "550 5.1.1 &lt;hiro@example.org&gt; &amp; nobody of that name"
    client.force_login(cast.ana)
    for page in ("/recall/", f"/recall/{delivery.pk}/"):
        text = client.get(page).content.decode()
        assert said in text
        assert 'class="came-back"' in text
    client.force_login(cast.ben)
    assert said not in client.get("/recall/").content.decode()


def test_what_did_not_arrive_yet_is_shown_and_told_to_nobody(cast, sink, client):
    for delivery in mailed(cast, cast.hiro, times=4):
        assert came_back(delivery, status="4.2.2", said="smtp; 452 full") == Outcome.SOFT
    day(cast, 5)
    assert (stops(), notices(sink)) == ([], [])
    client.force_login(cast.ana)
    assert "Not delivered yet" in client.get("/recall/").content.decode()


def test_after_three_nothing_is_sent_to_the_address_until_somebody_says_so(cast, sink):
    for delivery in mailed(cast, cast.hiro, times=3):
        assert stops() == []
        came_back(delivery)
    assert stops() == ["hiro@example.org"]
    sink.mails.clear()
    mailed(cast, cast.hiro)
    assert "ana@example.org" in sink.addresses
    assert "hiro@example.org" not in sink.addresses

    stop = MailStop.objects.get()
    with user_scope(cast.ines):
        actions.mail_again(by=cast.ines, stop=stop, reason="the mailbox was mended")
    (delivery,) = mailed(cast, cast.hiro)
    assert delivery.state == State.SENT
    came_back(delivery)
    assert stops() == []  # the count begins anew
    for delivery in mailed(cast, cast.hiro, times=2):
        came_back(delivery)
    assert stops() == ["hiro@example.org"]


def test_a_mail_already_planned_is_not_sent_to_a_stopped_address(cast, sink):
    deliveries = mailed(cast, cast.hiro, times=3)
    outstanding(cast.ana, opens=-3, closes=60)
    by = User.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo, 3))
    for delivery in deliveries:
        came_back(delivery)
    sink.mails.clear()
    send_waiting(cast.tokyo, noon(cast.tokyo, 3))
    assert sink.addresses == ["ana@example.org"]


def test_another_address_gets_mails_at_once(cast, sink):
    for delivery in mailed(cast, cast.hiro, times=3):
        came_back(delivery)
    with user_scope(cast.kei):
        User.objects.filter(pk=cast.hiro.pk).update(email="h.mori@example.org")
    sink.mails.clear()
    mailed(cast, cast.hiro)
    assert "h.mori@example.org" in sink.addresses


def test_one_mail_that_comes_back_three_times_counts_once(cast, sink):
    (delivery,) = mailed(cast, cast.hiro)
    for own in ("a", "b", "c", "d"):
        assert came_back(delivery, own=own) == Outcome.HARD
    assert stops() == []


@pytest.mark.parametrize("status", ["5.7.1", "5.7.26", "5.6.0", "5.1.8"])
def test_what_is_wrong_with_us_stops_no_address_but_is_told(cast, sink, status):
    """A signature of ours that broke would otherwise silence the whole registry in three days."""
    for delivery in mailed(cast, cast.hiro, times=4):
        came_back(delivery, status=status, said=f"smtp; 550 {status} not from you")
    day(cast, 4)
    assert stops() == []
    assert status in notices(sink)[0].get_body(("plain",)).get_content()


def test_an_address_is_one_at_every_site(cast, sink):
    with user_scope(cast.kei):
        cast.hiro.memberships.create(role="investigator", site=cast.rio)
    for site, by in ((cast.tokyo, cast.ana), (cast.rio, cast.ben)):
        for one in range(2):
            outstanding(by, opens=-3, closes=60)
            day(cast, one, site)
    with user_scope(cast.eli):
        deliveries = list(Delivery.objects.filter(recipient=cast.hiro).order_by("pk"))
    assert {delivery.site_id for delivery in deliveries} == {cast.tokyo.pk, cast.rio.pk}
    for delivery in deliveries[:3]:
        came_back(delivery)
    assert stops() == ["hiro@example.org"]


def test_a_recipient_refused_at_sending_counts_like_one_that_came_back(cast, sink):
    sink.refused = {"hiro@example.org": "550 5.1.1 no such mailbox"}
    deliveries = mailed(cast, cast.hiro, times=3)
    assert {delivery.state for delivery in deliveries} == {State.FAILED}
    assert {(b.hard, b.status, b.said) for b in bounces(cast)} == {
        (True, "5.1.1", "550 5.1.1 no such mailbox")
    }
    assert stops() == ["hiro@example.org"]
    day(cast, 4)
    assert len(notices(sink)) == 4 - 1  # one on each day, none on the last


@pytest.mark.parametrize("kind", ["answers", "refused"])
def test_a_refusal_for_now_or_of_the_mail_itself_is_no_bounce(cast, sink, kind):
    answer = {"answers": "554 looks like spam", "refused": "450 greylisted"}[kind]
    setattr(sink, kind, {"hiro@example.org": answer})
    mailed(cast, cast.hiro)
    assert bounces(cast) == []


def test_a_crash_between_the_refusal_and_its_stamp_counts_it_once(cast, sink, monkeypatch):
    sink.refused = {"hiro@example.org": "550 5.1.1 no such mailbox"}
    outstanding(cast.ana, opens=-3, closes=60)
    by = User.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
    with user_scope(cast.eli):
        key = Delivery.objects.get(recipient=cast.hiro).pk
    hiros = [(cast.tokyo, [key])]
    with monkeypatch.context() as dying:
        dying.setattr("registry.recall.actions.sending._stamp", lambda *args, **outcome: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            actions.send(by=by, waiting=hiros, now=noon(cast.tokyo))
    with user_scope(cast.ana):
        Delivery.objects.filter(pk=key).update(claimed_at=timezone.now() - timedelta(minutes=11))
    assert actions.send(by=by, waiting=hiros, now=noon(cast.tokyo)) == {key: State.FAILED}
    assert len(bounces(cast)) == 1


def test_the_run_says_who_is_left_out(cast, sink, capsys):
    for delivery in mailed(cast, cast.hiro, times=3):
        came_back(delivery)
    with user_scope(cast.ana):
        actions.pause(by=cast.ana, user=cast.ana, site=cast.tokyo)
    call_command("recall", "--at", noon(cast.tokyo, 3).isoformat(), "--dry-run")
    said = capsys.readouterr().out
    assert "; not to ana@example.org (paused), hiro@example.org (mails came back)\n" in said
    assert "RIO" in said.splitlines()[0]
    assert "not to" not in said.splitlines()[0]


# -- told to the data manager --------------------------------------------------------------------


def test_the_data_manager_is_told_of_each_once_and_at_once(cast, sink):
    first, second = mailed(cast, cast.hiro, times=2)
    came_back(first)
    day(cast, 1)
    day(cast, 1)
    (notice,) = notices(sink)
    assert notice["Subject"] == "Tokyo: mails to 1 address come back"
    for kind in ("plain", "html"):
        text = notice.get_body((kind,)).get_content()
        assert "Hiro Mori" in text
        assert "hiro@example.org" in text
        assert "550 5.1.1" in text
        assert "http://localhost:8000/recall/stops/" in text
        assert "nothing is sent there any more" not in text
    for _again in range(2):
        came_back(second)  # a mail of this day went already: the next is tomorrow's
        day(cast, 1)
    assert len(notices(sink)) == 1
    day(cast, 2)
    day(cast, 3)
    assert len(notices(sink)) == 2
    with user_scope(cast.eli):
        told = Recall.objects.filter(label="recall.bounce")
        assert sorted(told.values_list("key", flat=True)) == sorted(b.pk for b in bounces(cast))


def test_the_last_notice_says_that_nothing_is_sent_any_more(cast, sink):
    for delivery in mailed(cast, cast.hiro, times=3):
        came_back(delivery)
    day(cast, 3)
    (notice,) = notices(sink)
    for kind in ("plain", "html"):
        text = " ".join(notice.get_body((kind,)).get_content().split())
        assert "Three mails came back: nothing is sent there any more." in text


def test_several_of_a_site_are_one_mail(cast, sink):
    mailed(cast, cast.hiro)
    with user_scope(cast.eli):
        both = list(Delivery.objects.all())
    for delivery in both:
        came_back(delivery)
    day(cast, 1)
    (notice,) = notices(sink)
    assert notice["Subject"] == "Tokyo: mails to 2 addresses come back"


def test_without_a_data_manager_it_is_told_as_soon_as_there_is_one(cast, sink):
    with user_scope(cast.kei):
        User.objects.filter(pk=cast.ines.pk).update(is_active=False)
    came_back(mailed(cast, cast.hiro)[0])
    day(cast, 1)
    with user_scope(cast.kei):
        User.objects.filter(pk=cast.ines.pk).update(is_active=True)
    assert notices(sink) == []
    day(cast, 2)
    assert len(notices(sink)) == 1


def test_no_notice_goes_to_the_address_that_it_is_about(cast, sink):
    """Mails about mails that come back come back too: they must come to an end."""
    came_back(mailed(cast, cast.hiro)[0])
    day(cast, 1)
    assert len(notices(sink)) == 1
    with user_scope(cast.eli):
        notice = Delivery.objects.get(recipient=cast.ines, digest__kind="bounces")
    assert came_back(notice) == Outcome.HARD
    day(cast, 2)
    assert len(notices(sink)) == 1


def test_nothing_is_told_of_an_address_that_was_mended_meanwhile(cast, sink):
    came_back(mailed(cast, cast.hiro)[0])
    with user_scope(cast.kei):
        User.objects.filter(pk=cast.hiro.pk).update(email="h.mori@example.org")
    day(cast, 1)
    assert notices(sink) == []


def test_a_planned_notice_with_nothing_left_to_say_is_not_sent(cast, sink):
    by = User.objects.system("recall")
    came_back(mailed(cast, cast.hiro)[0])
    actions.tell(by=by, site=cast.tokyo, now=noon(cast.tokyo, 1))
    with user_scope(cast.kei):
        User.objects.filter(pk=cast.hiro.pk).update(email="h.mori@example.org")
    assert send_waiting(cast.tokyo, noon(cast.tokyo, 1)) == [State.CANCELLED]


def test_the_command_and_the_tick_tell(cast, sink, eager):
    from registry.recall import tasks

    came_back(mailed(cast, cast.hiro)[0])
    call_command("recall", "--at", noon(cast.tokyo, 1).isoformat(), "--dry-run")
    assert notices(sink) == []
    call_command("recall", "--at", noon(cast.tokyo, 0).isoformat())
    tasks.tick()
    assert len(notices(sink)) == 1


# -- the page where it ends ----------------------------------------------------------------------


@pytest.fixture
def stop(cast, sink):
    for delivery in mailed(cast, cast.hiro, times=3):
        came_back(delivery)
    return MailStop.objects.get()


@pytest.mark.parametrize("who", ["ines", "kei"])
def test_data_manager_and_administrator_let_mails_go_again_with_a_reason(cast, client, stop, who):
    client.force_login(getattr(cast, who))
    page = client.get("/recall/stops/").content.decode()
    assert "hiro@example.org" in page
    assert "Hiro Mori" in page
    lift = f"/recall/stops/{stop.pk}/lift/"
    for reason in ("", "   ", "x" * 201):
        assert client.post(lift, {"reason": reason}).status_code == 422
    assert stops() == ["hiro@example.org"]
    assert client.post(lift, {"reason": "mended"}, follow=True).status_code == 200
    stop.refresh_from_db()
    assert (stop.lifted_by, stop.reason) == (getattr(cast, who), "mended")
    assert client.post(lift, {"reason": "again"}).status_code == 404
    assert "mended" in client.get("/recall/stops/").content.decode()


@pytest.mark.parametrize("who", ["ana", "hiro", "vera", "eli", "jun", "gus"])
def test_nobody_else_does(cast, client, stop, who):
    client.force_login(getattr(cast, who))
    assert client.get("/recall/stops/").status_code == 403
    assert client.post(f"/recall/stops/{stop.pk}/lift/", {"reason": "x"}).status_code == 403


def test_the_recall_page_says_who_gets_nothing(cast, client, stop):
    seen = {}
    for who in ("ana", "ben", "ines", "eli"):
        client.force_login(getattr(cast, who))
        page = client.get("/recall/").content.decode()
        seen[who] = ("Nothing has been sent to Hiro Mori" in page, "/recall/stops/" in page)
    assert seen == {
        "ana": (True, False),
        "ben": (False, False),
        "ines": (True, True),
        "eli": (True, False),
    }


def test_a_reason_is_needed(cast, stop):
    with pytest.raises(RefusedError, match="Say why"):
        actions.mail_again(by=cast.ines, stop=stop, reason=" ")
    with pytest.raises(DatabaseError, match="mail_stop_lifted_with_reason"), transaction.atomic():
        MailStop.objects.update(lifted_at=timezone.now(), lifted_by=cast.ines)
