"""Invitations: what stands in the ledger, and what a mail server was given."""

import json
import random
import re
from dataclasses import fields
from datetime import timedelta
from email.utils import parseaddr
from html import unescape
from io import StringIO

import pytest
from django.core.mail import get_connection
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from registry.access.models import Membership, Site, User
from registry.access.scope import user_scope
from registry.participants import actions as participants
from registry.recall import actions, notice, tasks
from registry.recall.actions import sending
from registry.recall.kinds import Tuning
from registry.recall.models import Delivery, Digest, Invitation
from registry.visits.actions import attend_visit, miss_visit, save_draft, take_back_missed
from registry.visits.models import Visit

from .. import build
from .bookings import at, book, booked, invite, mails, send, tick, unbook
from .scene import BETRAYALS, CANARY, canary, listen, noon, outstanding

pytestmark = pytest.mark.slow

State = Delivery.State


def rows(user, model):
    with user_scope(user):
        return list(model.objects.order_by("pk"))


def change(cast, found, **values):
    """What the administrator changes."""
    with user_scope(cast.kei):
        found.update(**values)


def coordinator(cast, user):
    """A further coordinator in Tokyo."""
    change(cast, Membership.objects.filter(user=user), role="coordinator")


# -- what is told --------------------------------------------------------------------------------


def test_a_booked_visit_comes_to_the_sites_coordinators_and_nobody_else(cast, sink):
    booked(cast.ana)
    assert tick(cast.tokyo) == (1, [State.SENT])
    assert tick(cast.rio) == (0, [])
    assert sink.addresses == ["ana@example.org"]
    assert rows(cast.ben, Invitation) == rows(cast.ben, Digest) == []


def test_a_visit_without_an_appointment_comes_to_no_calendar(cast, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    assert tick(cast.tokyo) == (0, [])


def test_one_visit_is_one_entry_for_life(cast, sink):
    visit = booked(cast.ana)
    tick(cast.tokyo)
    book(cast.ana, visit, days=9)
    tick(cast.tokyo)
    book(cast.ana, visit, days=9, place="Room 5")
    tick(cast.tokyo)
    unbook(cast.ana, visit)
    tick(cast.tokyo)
    book(cast.ana, visit, days=12)
    tick(cast.tokyo)
    with user_scope(cast.ana):
        attend_visit(by=cast.ana, visit=visit, on=cast.tokyo.today)
    tick(cast.tokyo)
    assert [mail.said for mail in mails(sink)] == [
        ("REQUEST", 0),
        ("REQUEST", 1),
        ("REQUEST", 2),
        ("CANCEL", 3),
        ("REQUEST", 4),
        ("CANCEL", 5),
    ]
    assert len({mail.event["UID"] for mail in mails(sink)}) == 1
    assert re.fullmatch(r"visit-[0-9a-f-]{36}@localhost", mails(sink)[0].event["UID"])
    times = [mail.event["DTSTART"].dt for mail in mails(sink)]
    assert times == [at(cast.tokyo, days) for days in (5, 9, 9, 9, 12, 12)]
    assert len({mail.message["Message-ID"] for mail in mails(sink)}) == 6
    # Later ticks have nothing to add.
    for days in range(20):
        assert tick(cast.tokyo, days) == (0, [])


def test_two_visits_are_two_entries(cast, sink):
    booked(cast.ana)
    booked(cast.ana)
    assert tick(cast.tokyo) == (2, [State.SENT, State.SENT])
    assert len({mail.event["UID"] for mail in mails(sink)}) == 2


def test_the_mail_is_built_as_calendars_need_it(cast, sink, settings):
    settings.DEFAULT_FROM_EMAIL = "Saphena <saphena@registry.example.org>"
    settings.SITE_URL = "https://registry.example.org"
    visit = booked(cast.ana)
    tick(cast.tokyo)
    unbook(cast.ana, visit)
    tick(cast.tokyo)
    for mail, method, status in zip(
        mails(sink), ("REQUEST", "CANCEL"), ("CONFIRMED", "CANCELLED"), strict=True
    ):
        message, event = mail.message, mail.event
        assert message.get_content_type() == "multipart/mixed"
        alternative, saved = message.iter_parts()
        parts = list(alternative.iter_parts())
        assert [part.get_content_type() for part in parts] == [
            "text/plain",
            "text/html",
            "text/calendar",
        ]
        assert parts[-1].get_param("method") == mail.calendar["METHOD"] == method
        assert parts[-1].get_content_charset() == "utf-8"
        assert (saved.get_content_type(), saved.get_filename()) == ("application/ics", "visit.ics")
        file = parts[-1].get_payload(decode=True)
        assert saved.get_payload(decode=True).splitlines() == file.splitlines()
        assert max(map(len, file.split(b"\r\n"))) <= 75
        assert event["ORGANIZER"] == f"mailto:{parseaddr(message['From'])[1]}"
        assert event["ATTENDEE"] == f"mailto:{mail.to}" == f"mailto:{message['To']}"
        assert event["ATTENDEE"].params["RSVP"] == "FALSE"
        assert event["STATUS"] == status
        assert (event["CLASS"], event["TRANSP"]) == ("PRIVATE", "OPAQUE")
        assert event["SUMMARY"] == "Study visit"
        assert event["DESCRIPTION"].endswith(f"\n{event['URL']}")
        assert event["DTSTART"].to_ical().endswith(b"Z")
        assert event["URL"] == f"https://registry.example.org/visits/{visit.pk}/"
        assert event["UID"].endswith("@registry.example.org")
        assert message["Auto-Submitted"] == "auto-generated"
        assert len(message.as_bytes()) < 100_000
    stamps = [mail.event["DTSTAMP"].dt for mail in mails(sink)]
    assert stamps == [row.at.replace(microsecond=0) for row in rows(cast.ana, Invitation)]


def as_it_was(cast, visit, how):
    """Nobody is to come any more, for this or that reason."""
    with user_scope(cast.ana):
        if how == "attended":
            attend_visit(by=cast.ana, visit=visit, on=cast.tokyo.today)
        elif how == "missed":
            miss_visit(by=cast.ana, visit=visit, because=f"{CANARY} is abroad")
        elif how == "unbooked":
            unbook(cast.ana, visit)
        elif how == "cancelled":
            Visit.objects.filter(pk=visit.pk).update(cancelled_on=cast.tokyo.today)
        elif how == "died":
            row(cast, visit, "event", kind="death", occurred_on=cast.tokyo.today, note=CANARY)
        elif how == "ended":
            row(cast, visit, "end", ended_on=cast.tokyo.today, reason="moved")
        else:
            participants.withdraw_consent(
                by=cast.ana,
                participant=visit.participant,
                on=cast.tokyo.today,
                scope=how,
                reason=f"{CANARY} has had enough",
            )


def row(cast, visit, form, **values):
    return build.row(cast.ana, visit.participant, form, **values)


ENDS = [
    "attended",
    "missed",
    "unbooked",
    "cancelled",
    "died",
    "ended",
    "stop_contact",
    "stop_collection",
    "erase_identity",
]


@pytest.mark.parametrize("how", ENDS)
def test_it_is_taken_back_at_the_next_tick_without_a_reason_and_nothing_follows(cast, sink, how):
    visit = booked(cast.ana)
    tick(cast.tokyo)
    as_it_was(cast, visit, how)
    assert tick(cast.tokyo) == (1, [State.SENT])
    booked_mail, off = mails(sink)
    assert off.said == ("CANCEL", 1)
    assert off.event["UID"] == booked_mail.event["UID"]
    assert re.search("is no longer planned", off.message.get_body(("plain",)).get_content())
    for word in (CANARY, "died", "death", "withdr", "miss", "abroad", "moved away", "attended"):
        assert word.lower() not in off.message.as_string().lower()
    for days in range(0, 90, 3):
        assert tick(cast.tokyo, days) == (0, [])
    if how in ("died", "ended", "stop_contact", "stop_collection", "erase_identity"):
        by = User.objects.system("recall")
        actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
        assert send(cast.tokyo) == []  # nor does the daily mail


@pytest.mark.parametrize("how", ENDS)
def test_what_ends_before_the_mail_goes_comes_to_no_calendar_at_all(cast, sink, how):
    visit = booked(cast.ana)
    invite(cast.tokyo)
    as_it_was(cast, visit, how)
    assert send(cast.tokyo) == [State.CANCELLED]  # before the next tick has seen it
    assert tick(cast.tokyo) == (1, [])
    assert sink.mails == []


def test_an_appointment_made_and_given_up_between_two_ticks_is_not_told(cast, sink):
    visit = booked(cast.ana)
    unbook(cast.ana, visit)
    assert tick(cast.tokyo) == (0, [])
    book(cast.ana, visit)
    invite(cast.tokyo)
    unbook(cast.ana, visit)
    assert tick(cast.tokyo) == (1, [])  # given up with nobody to tell
    assert {delivery.state for delivery in rows(cast.ana, Delivery)} == {State.CANCELLED}
    assert sink.mails == []


def test_one_that_moves_before_the_mail_goes_is_told_once_as_it_is(cast, sink):
    visit = booked(cast.ana)
    invite(cast.tokyo)
    book(cast.ana, visit, days=8)
    assert send(cast.tokyo) == [State.CANCELLED]
    assert tick(cast.tokyo) == (1, [State.SENT])
    (mail,) = mails(sink)
    assert mail.said == ("REQUEST", 1)
    assert mail.event["DTSTART"].dt == at(cast.tokyo, 8)
    assert "is booked" in mail.message.get_body(("plain",)).get_content()


def test_nobody_is_invited_to_what_has_passed(cast, sink):
    visit = booked(cast.ana)
    assert tick(cast.tokyo, days=5) == (0, [])  # an outage: noon, and it was at ten
    book(cast.ana, visit, days=7)
    invite(cast.tokyo)
    assert send(cast.tokyo, days=7) == [State.CANCELLED]
    assert sink.mails == []


def test_what_passes_stays_in_the_calendar_until_the_visit_is_settled(cast, sink):
    visit = booked(cast.ana)
    tick(cast.tokyo)
    assert [tick(cast.tokyo, days) for days in range(4, 9)] == [(0, [])] * 5
    as_it_was(cast, visit, "attended")
    tick(cast.tokyo, days=8)
    assert [mail.said for mail in mails(sink)] == [("REQUEST", 0), ("CANCEL", 1)]


# -- who is told ---------------------------------------------------------------------------------


def test_who_left_gets_no_further_mail(cast, sink):
    coordinator(cast, cast.vera)
    visit = booked(cast.ana)
    tick(cast.tokyo)
    assert sink.addresses == ["ana@example.org", "vera@example.org"]
    assert {mail.event["ATTENDEE"] for mail in mails(sink)} == {
        "mailto:ana@example.org",
        "mailto:vera@example.org",
    }
    book(cast.ana, visit, days=8)
    invite(cast.tokyo)
    change(cast, Membership.objects.filter(user=cast.vera), role="viewer")
    assert sorted(send(cast.tokyo)) == [State.CANCELLED, State.SENT]
    unbook(cast.ana, visit)
    assert tick(cast.tokyo) == (1, [State.SENT])
    assert [mail.to for mail in mails(sink)[2:]] == ["ana@example.org"] * 2


def test_who_came_later_is_told_of_the_next_change_and_nothing_is_taken_back_before(cast, sink):
    visit, moved = booked(cast.ana), booked(cast.ana)
    tick(cast.tokyo)
    sink.mails.clear()
    coordinator(cast, cast.vera)
    unbook(cast.ana, visit)
    book(cast.ana, moved, days=8)
    assert invite(cast.tokyo) == 2
    send(cast.tokyo)
    assert sorted((mail.to, *mail.said) for mail in mails(sink)) == [
        ("ana@example.org", "CANCEL", 1),
        ("ana@example.org", "REQUEST", 1),
        ("vera@example.org", "REQUEST", 1),
    ]
    words = {mail.to: mail.message["Subject"] for mail in mails(sink) if "REQUEST" in mail.said}
    assert "changed" in words["ana@example.org"]
    assert "changed" not in words["vera@example.org"]


def test_without_a_coordinator_it_waits_for_one(cast, sink):
    booked(cast.ben)
    change(cast, User.objects.filter(pk=cast.ben.pk), is_active=False)
    assert tick(cast.rio) == (0, [])
    change(cast, User.objects.filter(pk=cast.ben.pk), is_active=True)
    assert tick(cast.rio) == (1, [State.SENT])


# -- order, and what goes wrong ------------------------------------------------------------------


def test_a_change_takes_the_place_of_a_mail_that_waits(cast, sink):
    visit = booked(cast.ana)
    sink.answers = {"ana@example.org": "451 come back later"}
    assert tick(cast.tokyo) == (1, [State.PLANNED])
    sink.answers = {}
    book(cast.ana, visit, days=8)
    assert tick(cast.tokyo) == (1, [State.SENT])
    first, second = rows(cast.ana, Delivery)
    assert first.error == "The appointment changed before the mail was sent."
    assert [mail.said for mail in mails(sink)] == [("REQUEST", 1)]


def test_a_change_waits_for_the_mail_that_is_being_sent(cast, sink):
    """Or a calendar might be given the appointment after it was taken back."""
    visit = booked(cast.ana)
    invite(cast.tokyo)
    by = User.objects.system("recall")
    keys = actions.unfinished(by=by, site=cast.tokyo)
    batch = sending._claim(by, noon(cast.tokyo), (cast.tokyo, keys))
    as_it_was(cast, visit, "died")
    assert invite(cast.tokyo) == 0
    with get_connection() as post:
        sending._send(batch, post)
    assert tick(cast.tokyo) == (1, [State.SENT])
    assert [mail.said for mail in mails(sink)] == [("REQUEST", 0), ("CANCEL", 1)]


def test_a_mail_that_repeats_after_a_crash_is_the_same(cast, sink, monkeypatch):
    booked(cast.ana)
    invite(cast.tokyo)
    with monkeypatch.context() as dying:
        dying.setattr(sending, "_stamp", lambda *args, **outcome: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send(cast.tokyo)
    with user_scope(cast.ana):
        Delivery.objects.update(claimed_at=timezone.now() - timedelta(minutes=11))
    assert send(cast.tokyo) == [State.SENT]
    first, second = mails(sink)
    for same in ("Message-ID", "Subject", "To", "From"):
        assert first.message[same] == second.message[same]
    parts = [
        [p.get_content() for p in m.message.walk() if not p.is_multipart()] for m in (first, second)
    ]
    assert parts[0] == parts[1]


def test_in_doubt_whether_a_mail_arrived_it_is_taken_back(cast, sink, monkeypatch):
    visit = booked(cast.ana)
    invite(cast.tokyo)
    with monkeypatch.context() as dying:
        dying.setattr(sending, "_stamp", lambda *args, **outcome: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send(cast.tokyo)
    as_it_was(cast, visit, "died")
    assert tick(cast.tokyo) == (0, [])  # the claim holds
    with user_scope(cast.ana):
        Delivery.objects.update(claimed_at=timezone.now() - timedelta(minutes=11))
    assert tick(cast.tokyo) == (0, [State.CANCELLED])
    assert tick(cast.tokyo) == (1, [State.SENT])
    assert [mail.said for mail in mails(sink)] == [("REQUEST", 0), ("CANCEL", 1)]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_each_calendar_ends_up_with_what_holds(cast, sink, seed):
    draw, visit = random.Random(seed), outstanding(cast.ana, opens=-3, closes=60)
    for _step in range(40):
        with user_scope(cast.ana):
            visit = Visit.objects.select_related("participant__site").get(pk=visit.pk)
        happens = draw.choice(["booked", "booked", "off", "missed", "ticks", "ticks"])
        if happens == "ticks":
            draw.choice([invite, send, tick])(cast.tokyo)
        elif visit.missed_because:
            with user_scope(cast.ana):
                take_back_missed(by=cast.ana, visit=visit, reason="they came back")
        elif happens == "missed":
            as_it_was(cast, visit, "missed")
        elif happens == "off":
            unbook(cast.ana, visit)
        else:
            book(cast.ana, visit, days=draw.randint(1, 3), place=draw.choice(["", "Room 4"]))
    tick(cast.tokyo)
    with user_scope(cast.ana):
        visit = Visit.objects.get(pk=visit.pk)
        present = None if visit.missed_because else visit.booked_at
    last, said = None, mails(sink)
    for mail in said:
        assert mail.event["UID"] == said[0].event["UID"]
        method, sequence = mail.said
        assert last is None or sequence > last.said[1]
        if method == "CANCEL":
            assert last is not None
            assert last.said[0] == "REQUEST"
        last = mail
    assert len(said) >= 3
    assert (last.event["DTSTART"].dt if last.said[0] == "REQUEST" else None) == present


def test_looking_costs_one_statement_whatever_is_booked(cast, sink):
    def statements():
        with CaptureQueriesContext(connection) as caught:
            assert invite(cast.tokyo) == 0
        return len([q for q in caught if "visits_visit" in q["sql"]]), len(caught)

    booked(cast.ana)
    tick(cast.tokyo)
    before = statements()
    assert before[0] == 1
    for _ in range(3):
        booked(cast.ana)
        outstanding(cast.ana, opens=-3, closes=60)
    tick(cast.tokyo)
    assert statements() == before


def test_the_minutes_tick_invites_and_takes_back(cast, sink, eager):
    visit = booked(cast.ana)
    change(cast, Site.objects, sending_hour=23)
    tasks.tick()
    tasks.tick()
    as_it_was(cast, visit, "died")
    tasks.tick()
    tasks.tick()
    found = [mail.said for mail in mails_with_calendar(sink)]
    assert found == [("REQUEST", 0), ("CANCEL", 1)]


def mails_with_calendar(sink):
    """At eleven at night a tick sends the daily mail too."""
    sink.mails = [one for one in sink.mails if one[1].get_content_type() == "multipart/mixed"]
    return mails(sink)


def test_the_command_says_what_calendars_are_told_and_a_dry_run_only_says_it(cast, sink):
    booked(cast.ana)

    def recall(*options):
        out = StringIO()
        call_command(
            "recall", "--json", "--at", at(cast.tokyo, 0, 1).isoformat(), *options, stdout=out
        )
        return next(line for line in json.loads(out.getvalue()) if line["site"] == "TKY")

    assert recall("--dry-run")["invitations"] == 1
    assert rows(cast.ana, Invitation) == sink.mails == []
    said = recall()
    assert (said["invitations"], [one["state"] for one in said["deliveries"]]) == (1, ["sent"])
    assert recall()["invitations"] == 0
    assert sink.addresses == ["ana@example.org"]


def test_trouble_with_invitations_keeps_nobody_from_the_daily_mail(
    cast, sink, eager, monkeypatch, caplog
):
    outstanding(cast.ana, opens=-3, closes=60)
    change(cast, Site.objects, sending_hour=0)
    monkeypatch.setattr(actions, "invite", lambda **_site: 1 / 0)
    tasks.tick()
    assert sink.addresses == ["ana@example.org", "hiro@example.org"]
    assert "Recall of site TKY failed" in caplog.text


# -- what a mail says ----------------------------------------------------------------------------


def body(mail, kind="plain"):
    return mail.message.get_body((kind,)).get_content().replace("\r\n", "\n")


def test_subject_and_text_say_what_where_and_when(cast, sink):
    visit = booked(cast.ana)
    tick(cast.tokyo)
    book(cast.ana, visit, days=8, hour=15)
    tick(cast.tokyo)
    unbook(cast.ana, visit)
    tick(cast.tokyo)
    subjects = [mail.message["Subject"] for mail in mails(sink)]
    assert [re.sub(r"\w{3} \d+ \w+ \d{4}", "DAY", subject) for subject in subjects] == [
        "Tokyo: study visit on DAY, 10:00 JST",
        "Tokyo: study visit changed, now on DAY, 15:00 JST",
        "Tokyo: study visit no longer planned, DAY, 15:00 JST",
    ]
    for mail, heading in zip(
        mails(sink), ("is booked", "has changed", "is no longer planned"), strict=True
    ):
        plain, rich = body(mail), unescape(re.sub(r"<[^>]+>", " ", body(mail, "html")))
        for said in (
            f"A study visit {heading}",
            "JST",
            "Tokyo",
            f"{visit.participant.study_number} · 24 months (M24)",
            f"http://localhost:8000/visits/{visit.pk}/",
            "Answering it or the invitation changes nothing in the registry",
            "You get this mail as a coordinator of Tokyo.",
        ):
            assert said in re.sub(r"\s+", " ", plain)
            assert said in re.sub(r"\s+", " ", rich).replace(" · ", " · ")


def test_a_site_that_wants_counts_only_has_neither_number_nor_visit_named(cast, sink):
    visit = booked(cast.ana)
    with user_scope(cast.hiro):
        tuning = Tuning(counts_only=True, language="pt-br")
        actions.tune(by=cast.hiro, site=cast.tokyo, tuning=tuning)
    tick(cast.tokyo)
    (mail,) = mails(sink)
    for text in (body(mail), body(mail, "html"), mail.message.as_string()):
        assert visit.participant.study_number not in text
        assert "M24" not in text
    assert "·" not in body(mail) + body(mail, "html")
    assert 'lang="pt-br"' in body(mail, "html")


def test_a_site_that_is_not_to_be_recalled_of_somebody_keeps_the_appointment(cast, sink):
    visit = booked(cast.ana)
    with user_scope(cast.ana):
        actions.stop(by=cast.ana, participant=visit.participant, because="calls them itself")
    assert tick(cast.tokyo) == (1, [State.SENT])
    assert tick(cast.tokyo, days=1) == (0, [])


def test_an_invitation_asked_for_again_is_the_same_entry_and_an_overtaken_one_does_not_go(
    cast, sink
):
    visit = booked(cast.ana)
    tick(cast.tokyo)
    (delivery,) = rows(cast.ana, Delivery)
    with user_scope(cast.ana):
        actions.resend(by=cast.ana, delivery=delivery, because="deleted it")
    assert send(cast.tokyo) == [State.SENT]
    first, again = mails(sink)
    assert first.calendar.to_ical() == again.calendar.to_ical()
    assert first.message["Message-ID"] != again.message["Message-ID"]
    book(cast.ana, visit, days=8)
    tick(cast.tokyo)
    with user_scope(cast.ana):
        actions.resend(by=cast.ana, delivery=delivery, because="deleted it too")
    assert send(cast.tokyo) == [State.CANCELLED]


def test_a_template_is_given_nothing_but_site_time_number_visit_and_link():
    assert [field.name for field in fields(notice.Notice)] == [
        "news",
        "site",
        "when",
        "study_number",
        "visit",
        "link",
        "language",
    ]


def test_each_reader_has_their_own_language_and_every_letter_arrives(cast, sink):
    change(cast, User.objects.filter(pk=cast.ana.pk), language="pt-br")
    change(cast, Site.objects.filter(pk=cast.tokyo.pk), name="São Paulo 東京 <&>; “B”, north")
    booked(cast.ana)
    site = Site.objects.get(pk=cast.tokyo.pk)
    tick(site)
    (mail,) = mails(sink)
    assert mail.message["Subject"].strip().startswith(f"{site.name}: ")  # folded
    assert mail.event["LOCATION"] == site.name
    assert site.name in body(mail)
    assert 'lang="pt-br"' in body(mail, "html")
    header, _, _body = sink.mails[0][2].partition(b"\r\n\r\n")
    assert header.isascii()


def test_no_identity_place_or_free_text_is_in_any_mail_file_row_or_task(
    cast, sink, eager, monkeypatch
):
    person = canary()
    visit = outstanding(cast.ana, opens=-20, closes=60, person=person)
    baseline = build.attended(cast.ana, visit.participant)
    with user_scope(cast.ana):
        entry = baseline.entries.first()
        save_draft(by=cast.ana, entry=entry, raw={"note": [f"{CANARY}6"]}, revision=entry.revision)
    queued = listen(monkeypatch)
    book(cast.ana, visit, place=f"{CANARY}7, at home")
    tasks.tick()
    book(cast.ana, visit, days=8, place=f"{CANARY}8")
    tasks.tick()
    as_it_was(cast, visit, "missed")
    tasks.tick()
    found = mails_with_calendar(sink)
    assert len(found) == 3
    with user_scope(cast.ana):
        stored = [list(Delivery.objects.values()), list(Digest.objects.values())]
    everything = [str(stored), str(queued)]
    for (_address, message, raw), mail in zip(sink.mails, found, strict=True):
        everything += [raw.decode(), message.as_string(), mail.calendar.to_ical().decode()]
        everything += [
            p.get_payload(decode=True).decode() for p in message.walk() if not p.is_multipart()
        ]
        everything += [f"{name}: {value}" for name, value in message.items()]
        everything += [str(part.get_filename()) for part in message.walk()]
        number = visit.participant.study_number
        assert number not in mail.calendar.to_ical().decode()
        assert number not in " ".join(map(str, message.values()))
        assert "M24" not in mail.calendar.to_ical().decode()
    for text in everything:
        assert not BETRAYALS.search(text)
        assert "at home" not in text.lower()
    parcels = [parcel for (parcel,), _options in queued]
    assert all(isinstance(key, int) for parcel in parcels for site, keys in parcel for key in keys)


def test_no_address_in_a_mail_changes_anything_on_get(cast, sink, client):
    booked(cast.ana)
    tick(cast.tokyo)
    client.force_login(cast.ana)
    (mail,) = mails(sink)
    with user_scope(cast.ana):
        before = list(Visit.objects.order_by("pk").values())
    links = {*re.findall(r"http://localhost:8000(\S+)", body(mail)), mail.event["URL"][21:]}
    assert len(links) == 1
    for address in links:
        for _twice in range(2):
            assert client.get(address).status_code == 200
    with user_scope(cast.ana):
        assert list(Visit.objects.order_by("pk").values()) == before


def test_the_page_shows_the_mail_with_its_calendar_file_as_it_went(cast, sink, client):
    booked(cast.ana)
    tick(cast.tokyo)
    (mail,) = mails(sink)
    (delivery,) = rows(cast.ana, Delivery)
    assert delivery.calendar.split() == mail.calendar.to_ical().decode().split()
    client.force_login(cast.ana)
    page = client.get(reverse("recall", args=[delivery.pk])).content.decode()
    assert "METHOD:REQUEST" in page
    assert mail.message["Subject"] in unescape(page)
