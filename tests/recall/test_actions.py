"""Planning and sending: what stands in the ledger, and what a mail server was given."""

import smtplib
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry.access.models import Membership, Site, User
from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.participants import actions as participants
from registry.recall import actions, tasks
from registry.recall.actions import sending
from registry.recall.actions.claims import Claim
from registry.recall.models import Delivery, Digest, PlanningRun, Recall
from registry.visits.actions import attend_visit, miss_visit

from .scene import noon, outstanding, recall

State = Delivery.State


def body(message, kind="plain"):
    return message.get_body((kind,)).get_content()


def rows(user, model=Delivery):
    with user_scope(user):
        return list(model.objects.all())


def change(cast, found, **values):
    """What the administrator changes."""
    with user_scope(cast.kei):
        found.update(**values)


# -- planning ------------------------------------------------------------------------------------


def test_a_day_without_anything_due_is_planned_too(cast, sink):
    run, states = recall(cast.tokyo)
    assert (run.day, run.due, states) == (cast.tokyo.today, 0, [])
    assert rows(cast.ana, Digest) == rows(cast.ana) == sink.mails == []


def test_one_digest_with_a_delivery_for_each_coordinator_and_investigator(cast, sink):
    outstanding(cast.ana, opens=-10, closes=60)
    outstanding(cast.ana, opens=-60, closes=-8)
    run, states = recall(cast.tokyo)
    assert (run.due, states) == (2, [State.SENT, State.SENT])
    assert len(rows(cast.ana, Digest)) == 1
    assert {row.kind for row in rows(cast.ana, Recall)} == {"open", "overdue"}
    assert sink.addresses == ["ana@example.org", "hiro@example.org"]
    assert rows(cast.ben) == rows(cast.ben, Recall) == rows(cast.ben, PlanningRun) == []


def test_a_site_is_told_of_its_own_visits_only(cast, sink):
    mine = outstanding(cast.ana, opens=-10, closes=60)
    theirs = outstanding(cast.ben, opens=-10, closes=60)
    recall(cast.tokyo)
    recall(cast.rio)
    for address, message, _raw in sink.mails:
        own, other = (theirs, mine) if address == "ben@example.org" else (mine, theirs)
        assert own.participant.study_number in body(message)
        assert other.participant.study_number not in body(message)


def test_the_sending_hour_is_the_sites_own(cast):
    by = User.objects.system("recall")
    for site in (cast.tokyo, cast.rio):
        early = noon(site).replace(hour=6, minute=59)
        assert actions.plan(by=by, site=site, now=early) is None
        late = actions.plan(by=by, site=site, now=early + timedelta(minutes=1))
        assert late.day == site.today
    assert actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo)) is None


def test_planning_at_once_does_not_wait_for_the_hour_and_keeps_to_once_a_day(cast):
    by, midnight = User.objects.system("recall"), noon(cast.tokyo).replace(hour=0)
    assert actions.plan(by=by, site=cast.tokyo, now=midnight, at_once=True)
    assert actions.plan(by=by, site=cast.tokyo, now=midnight, at_once=True) is None
    assert actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo)) is None


@pytest.mark.slow
def test_each_occasion_is_told_once_while_days_go_by(cast, sink):
    outstanding(cast.ana, opens=5, closes=20)
    told = []
    for day in range(45):  # the escalation comes on day 50
        run, _states = recall(cast.tokyo, days=day)
        if run.due:
            told.append((day, run.due))
    assert told == [(day, 1) for day in (0, 5, 13, 27, 41)]
    assert len(sink.mails) == 2 * len(told)


def test_after_an_outage_one_line_a_visit_the_most_urgent(cast, sink):
    slept_through = outstanding(cast.ana, opens=5, closes=20)
    told = outstanding(cast.ana, opens=-3, closes=100)
    recall(cast.tokyo)
    run, _states = recall(cast.tokyo, days=50)
    assert run.due == 2
    newest, escalated = [r for r in rows(cast.ana, Recall) if r.key == slept_through.pk][-2:]
    assert escalated.kind == "escalated"
    assert (newest.kind, newest.occurrence) == ("overdue", f"{slept_through.closes_on}+21")
    assert [r.kind for r in rows(cast.ana, Recall) if r.key == told.pk] == ["open"]
    assert recall(cast.tokyo, days=51)[0].due == 0


def test_a_moved_window_is_told_again(cast, sink):
    visit = outstanding(cast.ana, opens=-3, closes=60)
    assert recall(cast.tokyo)[0].due == 1
    with user_scope(cast.ana):
        type(visit).objects.filter(pk=visit.pk).update(opens_on=cast.tokyo.today)
    assert recall(cast.tokyo, days=1)[0].due == 1


@pytest.mark.parametrize("scope", ["stop_contact", "stop_collection", "erase_identity"])
def test_a_withdrawal_of_today_ends_recall_at_every_hour(cast, scope):
    visit = outstanding(cast.ana, opens=-3, closes=60)
    with user_scope(cast.ana):
        participants.withdraw_consent(
            by=cast.ana, participant=visit.participant, on=cast.tokyo.today, scope=scope
        )
    assert recall(cast.tokyo)[0].due == 0


def test_stopping_to_share_does_not_end_recall_but_no_contact_does(cast):
    sharing = outstanding(cast.ana, opens=-3, closes=60)
    outstanding(cast.ana, opens=-3, closes=60, consent={"allows_contact": False})
    with user_scope(cast.ana):
        participants.withdraw_consent(
            by=cast.ana, participant=sharing.participant, on=cast.tokyo.today, scope="stop_sharing"
        )
    assert recall(cast.tokyo)[0].due == 1
    assert [row.key for row in rows(cast.ana, Recall)] == [sharing.pk]


def test_without_a_recipient_nothing_is_told_and_it_stays_due(cast, sink):
    outstanding(cast.ben, opens=-3, closes=60)
    change(cast, User.objects.filter(pk=cast.ben.pk), is_active=False)
    assert recall(cast.rio)[0].due == 1
    assert rows(cast.eli, Recall) == rows(cast.eli, Digest) == []
    change(cast, User.objects.filter(pk=cast.ben.pk), is_active=True)
    recall(cast.rio, days=1)
    assert sink.addresses == ["ben@example.org"]


def test_candidates_are_found_with_one_statement_whatever_their_number(cast):
    def statements():
        with CaptureQueriesContext(
            connection,
        ) as caught:
            recall(cast.tokyo, days=len(rows(cast.ana, PlanningRun)))
        wanted = [q["sql"] for q in caught if '"visits_visit"."opens_on" <=' in q["sql"]]
        return [statement for statement in wanted if '"id" IN' not in statement]  # not sending

    outstanding(cast.ana, opens=-3, closes=60)
    assert len(statements()) == 1
    for _ in range(3):
        outstanding(cast.ana, opens=-3, closes=60)
    assert len(statements()) == 1


def test_deliveries_are_written_in_the_name_of_recall(cast):
    outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    with user_scope(cast.ana):
        changes = Change.objects.filter(label="recall.delivery")
        assert {change.by.name for change in changes} == {"Recall"}
        assert len(changes) == 2  # the outcome is on the row itself


# -- sending -------------------------------------------------------------------------------------


def test_a_tick_run_twice_sends_one_mail(cast, sink, eager):
    outstanding(cast.ana, opens=-3, closes=60)
    change(cast, Site.objects, sending_hour=0)
    tasks.tick()
    tasks.tick()
    assert sink.addresses == ["ana@example.org", "hiro@example.org"]
    assert {d.state for d in rows(cast.ana)} == {State.SENT}
    tasks.send_deliveries([(cast.tokyo.pk, [delivery.pk for delivery in rows(cast.ana)])])
    assert len(sink.mails) == 2


def test_one_sites_trouble_keeps_no_other_from_its_mail(cast, sink, eager, monkeypatch, caplog):
    outstanding(cast.ben, opens=-3, closes=60)
    change(cast, Site.objects, sending_hour=0)
    plan = actions.plan

    def trouble(*, site, **more):
        if site == cast.tokyo:
            raise ZeroDivisionError
        return plan(site=site, **more)

    monkeypatch.setattr(actions, "plan", trouble)
    tasks.tick()
    assert sink.addresses == ["ben@example.org"]
    assert "Recall of site TKY failed" in caplog.text


def waiting(cast):
    """A planned day, not sent: the keys of its deliveries."""
    by = User.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
    return actions.unfinished(by=by, site=cast.tokyo)


def send(cast, key):
    by = User.objects.system("recall")
    return actions.send(by=by, waiting=[(cast.tokyo, [key])], now=noon(cast.tokyo)).get(key)


def ended(cast, visit, how):
    with user_scope(cast.ana):
        if how == "attended":
            attend_visit(by=cast.ana, visit=visit, on=cast.tokyo.today)
        elif how == "missed":
            miss_visit(by=cast.ana, visit=visit, because="in another hospital")
        elif how == "withdrawn":
            participants.withdraw_consent(
                by=cast.ana,
                participant=visit.participant,
                on=cast.tokyo.today,
                scope="stop_contact",
            )
        else:
            type(visit).objects.filter(pk=visit.pk).update(
                opens_on=visit.opens_on + timedelta(days=30)
            )


@pytest.mark.parametrize("how", ["attended", "missed", "withdrawn", "moved"])
def test_a_visit_settled_before_sending_drops_out(cast, sink, how):
    settled = outstanding(cast.ana, opens=-3, closes=60)
    stays = outstanding(cast.ana, opens=-3, closes=60)
    keys = waiting(cast)
    ended(cast, settled, how)
    assert send(cast, keys[0]) == State.SENT
    (_address, message, _raw) = sink.mails[0]
    assert message["Subject"] == "Tokyo: 1 recall"
    assert stays.participant.study_number in body(message)
    assert settled.participant.study_number not in message.as_string()


@pytest.mark.parametrize("how", ["attended", "missed", "withdrawn", "moved"])
def test_a_mail_with_nothing_left_to_say_is_not_sent(cast, sink, how):
    visit = outstanding(cast.ana, opens=-3, closes=60)
    keys = waiting(cast)
    ended(cast, visit, how)
    assert send(cast, keys[0]) == State.CANCELLED
    assert sink.mails == []
    delivery = next(d for d in rows(cast.ana) if d.pk == keys[0])
    assert (delivery.state, delivery.text) == (State.CANCELLED, "")
    assert delivery.error == "Nothing was left to say when the mail was to go."
    assert send(cast, keys[0]) is None


def test_who_left_the_site_before_sending_gets_no_mail(cast, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    keys = waiting(cast)
    change(cast, Membership.objects.filter(user=cast.hiro), role="viewer")
    assert sorted(send(cast, key) for key in keys) == [State.CANCELLED, State.SENT]
    assert sink.addresses == ["ana@example.org"]


def test_the_mail_is_kept_as_it_went_with_its_outcome(cast, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    for delivery in rows(cast.ana):
        message = next(m for a, m, _raw in sink.mails if a == delivery.address)
        assert message["Message-ID"] == delivery.message_id
        assert message["Subject"] == delivery.subject
        assert body(message).split() == delivery.text.split()
        assert body(message, "html").split() == delivery.html.split()
        assert (delivery.state, delivery.attempts, delivery.error) == (State.SENT, 1, "")
        assert timezone.now() - delivery.sent_at < timedelta(minutes=1)


def make_due(cast, key):
    """Let the wait or the claim of a delivery run out."""
    with user_scope(cast.ana):
        long_ago = timezone.now() - timedelta(minutes=11)
        Delivery.objects.filter(pk=key).update(not_before=long_ago)
        Delivery.objects.filter(pk=key, claimed_at__isnull=False).update(claimed_at=long_ago)


def test_a_temporary_refusal_is_tried_again_later_and_later(cast, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    keys = waiting(cast)
    sink.answers = dict.fromkeys(["ana@example.org", "hiro@example.org"], "451 come back later")
    key, waits = keys[0], []
    for attempt in range(1, len(sending.WAITS) + 1):
        assert send(cast, key) == State.PLANNED
        assert send(cast, key) is None  # not before its time
        delivery = next(d for d in rows(cast.ana) if d.pk == key)
        assert (delivery.attempts, delivery.error) == (attempt, "451 come back later")
        waits.append(round((delivery.not_before - timezone.now()).total_seconds() / 60))
        make_due(cast, key)
    assert waits == [1, 5, 15, 60, 120, 240, 480, 480]
    assert send(cast, key) == State.FAILED
    make_due(cast, key)
    assert send(cast, key) is None
    assert sink.mails == []


def test_a_temporary_refusal_ends_with_the_mail_once_the_server_takes_it(cast, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    keys = waiting(cast)
    sink.answers = {"ana@example.org": "451 come back later"}
    assert sorted(send(cast, key) for key in keys) == [State.PLANNED, State.SENT]
    sink.answers = {}
    for key in keys:
        make_due(cast, key)
        send(cast, key)
    assert sink.addresses == ["ana@example.org", "hiro@example.org"]
    assert {(d.state, d.error) for d in rows(cast.ana)} == {(State.SENT, "")}


def test_a_permanent_refusal_fails_at_once_with_the_reason(cast, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    keys = waiting(cast)
    sink.answers = {"ana@example.org": "550 no such mailbox"}
    assert sorted(send(cast, key) for key in keys) == [State.FAILED, State.SENT]
    failed = next(d for d in rows(cast.ana) if d.state == State.FAILED)
    assert (failed.recipient, failed.error) == (cast.ana, "550 no such mailbox")


def test_a_server_that_is_down_is_a_temporary_failure(cast, sink, settings):
    outstanding(cast.ana, opens=-3, closes=60)
    keys = waiting(cast)
    settings.EMAIL_PORT = 1
    assert send(cast, keys[0]) == State.PLANNED
    assert "Connection refused" in next(d for d in rows(cast.ana) if d.pk == keys[0]).error


@pytest.mark.parametrize(
    ("error", "permanent", "reason"),
    [
        (smtplib.SMTPRecipientsRefused({"a@b": (550, b"unknown")}), True, "550 unknown"),
        (smtplib.SMTPRecipientsRefused({"a@b": (450, b"greylisted")}), False, "450 greylisted"),
        (smtplib.SMTPSenderRefused(553, b"not you", "s@x"), True, "553 not you"),
        (smtplib.SMTPDataError(554, "spam"), True, "554 spam"),
        (smtplib.SMTPConnectError(554, b"busy"), False, "554 busy"),
        (smtplib.SMTPAuthenticationError(535, b"wrong"), False, "535 wrong"),
        (smtplib.SMTPServerDisconnected("gone"), False, "SMTPServerDisconnected: gone"),
        (TimeoutError("slow"), False, "TimeoutError: slow"),
        (smtplib.SMTPNotSupportedError("utf8"), True, "SMTPNotSupportedError: utf8"),
        (ValueError("bad address"), True, "ValueError: bad address"),
    ],
)
def test_what_is_for_good_and_what_is_not(error, permanent, reason):
    assert actions.judge(error) == (permanent, reason)


def test_a_crash_after_the_claim_is_finished_later_with_the_same_message_id(
    cast, sink, monkeypatch
):
    outstanding(cast.ana, opens=-3, closes=60)
    key = waiting(cast)[0]
    with monkeypatch.context() as dying:
        # The server took the mail, and the process died before it could say so.
        dying.setattr(Claim, "stamp", lambda *args, **outcome: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send(cast, key)
    assert send(cast, key) is None
    make_due(cast, key)
    assert send(cast, key) == State.SENT
    first, second = (message["Message-ID"] for _address, message, _raw in sink.mails)
    assert first == second


def test_a_claim_that_was_taken_over_is_not_stamped_by_its_former_holder(cast, sink, caplog):
    outstanding(cast.ana, opens=-3, closes=60)
    key = waiting(cast)[0]
    by, now = User.objects.system("recall"), noon(cast.tokyo)
    former = sending._claim(by, now, (cast.tokyo, [key]))
    ((delivery, _rendered),) = former.written
    make_due(cast, key)
    assert sending._claim(by, now, (cast.tokyo, [key])).written
    former.claim.stamp([delivery], state=State.SENT)
    assert next(d for d in rows(cast.ana) if d.pk == key).state == State.CLAIMED
    assert "expired" in caplog.text
