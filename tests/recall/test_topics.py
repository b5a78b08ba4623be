"""Each topic by what people do: what is told of it, to whom, and what silences it."""

import logging
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from registry.access.models import Site, User
from registry.access.scope import user_scope
from registry.participants import actions as participants
from registry.participants.models import Screening
from registry.quality import actions as quality
from registry.quality.models import DataQuery
from registry.quality.rules import Act
from registry.recall import actions, tasks
from registry.recall.models import Delivery, Recall, SiteTuning
from registry.visits import actions as visits
from registry.visits.models import End, Event, FormEntry, Visit

from .. import build
from ..imaging import films
from .clock import Clock
from .scene import BETRAYALS, CANARY, canary, listen, noon, outstanding, recall

pytestmark = pytest.mark.slow

ANA, HIRO, INES = "ana@example.org", "hiro@example.org", "ines@example.org"
DAY = timedelta(days=1)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch, timezone.now())


def told(cast, kind):
    """How often a kind stands in the ledger."""
    with user_scope(cast.ana):
        return Recall.objects.filter(kind=kind).count()


def told_on(cast, kind, days):
    """The days from today, of ``days``, on which a kind is told."""
    found, before = [], told(cast, kind)
    for day in days:
        recall(cast.tokyo, days=day)
        if (now := told(cast, kind)) > before:
            found.append(day)
        before = now
    return found


def plain(message):
    return message.get_body(("plain",)).get_content()


def headings(sink, address):
    """The groups' headings in the mails to an address."""
    mails = [plain(message) for to, message, _raw in sink.mails if to == address]
    return re.findall(r"^([A-Z][A-Z:, ]+) \(\d+\)\r?$", "\n".join(mails), re.M)


def closed(cast, days=70):
    """The participant of a window that closed so many days ago and nobody came."""
    return outstanding(cast.ana, opens=-days - 60, closes=-days).participant


# -- nobody reached --------------------------------------------------------------------------------


def attempt(cast, participant, outcome="not_reached"):
    build.row(
        cast.ana,
        participant,
        "contact",
        attempted_on=cast.tokyo.today,
        outcome=outcome,
        means="phone",
    )


def test_an_attempt_is_asked_for_63_days_after_the_window_closed(cast, sink):
    closed(cast, days=1)
    assert told_on(cast, "contact", [60, 61, 62, 63, 90]) == [62]


def test_the_next_attempt_is_asked_for_14_days_after_each_and_after_three_none(cast, sink, clock):
    participant = closed(cast)
    assert told_on(cast, "contact", [0]) == [0]
    for asked_again_on in ([14], [14], []):
        attempt(cast, participant)
        assert told_on(cast, "contact", [1, 13, 14]) == asked_again_on
        clock.now += 14 * DAY


@pytest.mark.parametrize("outcome", ["reached", "declined"])
def test_who_was_reached_is_not_looked_for(cast, sink, outcome):
    attempt(cast, closed(cast), outcome)
    assert told_on(cast, "contact", [0, 14, 40]) == []


def test_who_was_seen_since_is_not_looked_for(cast, sink):
    participant = closed(cast)
    with user_scope(cast.ana):
        visits.add_unscheduled_visit(by=cast.ana, participant=participant, on=cast.tokyo.today)
    assert told_on(cast, "contact", [0, 14]) == []


# -- consent ---------------------------------------------------------------------------------------


def new_version(cast, **values):
    values = {
        "code": "2.0",
        "in_force_from": cast.tokyo.today,
        "in_force_until": None,
        "mandatory": True,
    } | values
    with user_scope(cast.ana):
        return participants.add_consent_version(by=cast.ana, site=cast.tokyo, values=values)


def sign(cast, participant, version):
    with user_scope(cast.ana):
        return participants.take_consent(
            by=cast.ana,
            screening=Screening.objects.select_related("site").get(pk=participant.screening_id),
            version=version,
            values={"signed_on": cast.tokyo.today}
            | dict.fromkeys(["allows_images", "allows_sharing", "allows_contact"], True),
        )


def test_a_new_mandatory_version_is_told_when_it_comes_into_force_and_30_days_later(cast, sink):
    outstanding(cast.ana, opens=100, closes=160)
    new_version(cast, in_force_from=cast.tokyo.today + 2 * DAY)
    assert told_on(cast, "consent", [0, 1, 2, 3, 31, 32, 33]) == [2, 32]
    assert sink.addresses == [ANA, ANA, HIRO, HIRO]


def test_a_consent_signed_anew_is_quiet(cast, sink):
    participant = outstanding(cast.ana, opens=100, closes=160).participant
    sign(cast, participant, new_version(cast))
    assert told_on(cast, "consent", [0, 30]) == []


@pytest.mark.parametrize("ended", [False, True])
def test_a_version_that_nobody_must_sign_is_quiet(cast, sink, ended):
    """Neither one that is optional nor one whose last day is over: it could not be signed."""
    outstanding(cast.ana, opens=100, closes=160)
    today = cast.tokyo.today
    if ended:
        new_version(cast, in_force_from=today - 30 * DAY, in_force_until=today - DAY)
    else:
        new_version(cast, mandatory=False)
    assert told_on(cast, "consent", [0, 30]) == []


def test_who_is_followed_no_more_has_nothing_to_sign(cast, sink):
    visit = outstanding(cast.ana, opens=100, closes=160)
    new_version(cast)
    with user_scope(cast.ana):
        visits.miss_visit(by=cast.ana, visit=visit, because="moved away")
    assert told_on(cast, "consent", [0, 30]) == []


# -- questions -------------------------------------------------------------------------------------


def question(cast, text="Is this right?"):
    participant = build.participant(cast.ana, arm="control", enrolled_on=cast.tokyo.today)
    with user_scope(cast.eli):
        return quality.raise_query(
            by=cast.eli,
            record=participant,
            participant_no=participant.pk,
            item="sex",
            text=text,
        )


def act(by, query, what):
    with user_scope(by):
        quality.act_on(by=by, query=query, act=what, text="Look again.")


def test_a_question_is_told_after_14_days_once(cast, sink):
    question(cast)
    assert told_on(cast, "query", [0, 13, 14, 15, 60]) == [14]


def test_a_question_answered_is_quiet_and_asked_again_is_told_again(cast, sink, clock):
    query = question(cast)
    clock.now += 14 * DAY
    recall(cast.tokyo)
    assert told(cast, "query") == 1
    act(cast.ana, query, Act.ANSWER)
    clock.now += 10 * DAY
    recall(cast.tokyo)
    act(cast.eli, query, Act.REOPEN)
    assert told_on(cast, "query", [1, 13, 14, 15]) == [14]


def test_a_question_for_the_data_manager_is_not_the_sites(cast, sink):
    query = question(cast)
    with user_scope(cast.ana):
        DataQuery.objects.filter(pk=query.pk).update(audience="data_manager")
    assert told_on(cast, "query", [14]) == []


# -- films -----------------------------------------------------------------------------------------


def visit_with_film(cast, **about):
    """An attended visit of somebody whose other visits are far, with a film of today."""
    subject = build.participant(cast.ana, arm="control", enrolled_on=cast.tokyo.today, **about)
    visit = build.attended(cast.ana, subject)
    films.film(cast.ana, films.study(cast.ana, visit))
    return visit


UNREADABLE = {"quality": "unreadable", "calcification": "not_assessable"}


def read(cast, visit, **values):
    films.graded(cast.ana, cast.chen, visit, **values)


def better_film(cast, visit):
    films.film(cast.ana, films.study(cast.ana, visit), films.png(seed=2))


def test_a_film_unread_for_14_days_is_told_to_the_data_manager_alone(cast, sink):
    visit_with_film(cast)
    assert told_on(cast, "film_unread", [0, 13, 14, 15, 40]) == [14]
    assert sink.addresses == [INES]


def test_a_film_that_was_read_is_quiet(cast, sink):
    visit = visit_with_film(cast)
    read(cast, visit)
    assert told_on(cast, "film_unread", [14, 30]) == told_on(cast, "film_sent_back", [31]) == []


def test_an_unreadable_film_is_told_to_the_coordinator_at_once_and_14_days_later(cast, sink, clock):
    visit = visit_with_film(cast)
    clock.now += DAY
    read(cast, visit, **UNREADABLE)
    assert told_on(cast, "film_sent_back", [0, 1, 13, 14, 15, 40]) == [0, 14]
    assert sink.addresses == [ANA, ANA]


def test_a_better_film_ends_it_even_on_the_day_of_the_reading(cast, sink, clock):
    visit = visit_with_film(cast)
    clock.now += timedelta(minutes=1)
    read(cast, visit, **UNREADABLE)
    clock.now += timedelta(minutes=1)
    better_film(cast, visit)
    assert told_on(cast, "film_sent_back", [0, 14]) == []


def test_a_film_of_tomorrow_there_is_sent_back_by_a_reader_of_today(cast, sink, clock):
    """In Tokyo it is the next day already while the reader's day is that of UTC."""
    clock.now = clock.now.replace(hour=20, minute=0)
    visit = visit_with_film(cast)
    clock.now += timedelta(hours=1)
    read(cast, visit, **UNREADABLE)
    assert told_on(cast, "film_sent_back", [0]) == [0]


@pytest.mark.parametrize("kind", ["film_unread", "film_sent_back"])
def test_films_are_quiet_once_nothing_more_is_collected(cast, sink, clock, kind):
    visit = visit_with_film(cast)
    if kind == "film_sent_back":
        clock.now += DAY
        read(cast, visit, **UNREADABLE)
    with user_scope(cast.ana):
        participants.withdraw_consent(
            by=cast.ana,
            participant=visit.participant,
            on=cast.tokyo.today,
            scope="stop_collection",
        )
    assert told_on(cast, kind, [0, 14]) == []


def test_a_visit_of_which_all_was_told_comes_back_after_a_snooze(cast, sink):
    visit = outstanding(cast.ana, opens=-150, closes=-90)
    recall(cast.tokyo)
    with user_scope(cast.ana):
        actions.snooze(
            by=cast.ana,
            site=cast.tokyo,
            label="visits.visit",
            key=visit.pk,
            until=cast.tokyo.today + 5 * DAY,
            because="on a journey",
        )
    assert told_on(cast, "overdue", [1, 4, 5, 6]) == [5]


# -- what silences ---------------------------------------------------------------------------------


def with_three_topics(cast):
    """Somebody with a visit due, nobody reached since another, and a consent to renew."""
    participant = outstanding(cast.ana, opens=-3, closes=60).participant
    with user_scope(cast.ana):
        Visit.objects.filter(participant=participant, code="M60").update(
            missed_because="",
            missed_on=None,
            opens_on=cast.tokyo.today - 120 * DAY,
            closes_on=cast.tokyo.today - 64 * DAY,
        )
    new_version(cast)
    return participant


def silence(cast, participant, how):
    today = cast.tokyo.today
    with user_scope(cast.ana):
        if how == "stopped":
            actions.stop(by=cast.ana, participant=participant, because="asked us to")
        elif how in ("died", "ended"):
            # Not through the page: a consent to renew keeps it from entering anything.
            form = "event" if how == "died" else "end"
            entry = FormEntry.objects.create(participant=participant, form=form, occurrence="1")
            if how == "died":
                Event.objects.create(entry=entry, done_on=today, kind="death", occurred_on=today)
            else:
                End.objects.create(entry=entry, done_on=today, ended_on=today, reason="moved")
        else:
            participants.withdraw_consent(by=cast.ana, participant=participant, on=today, scope=how)


SILENCES = ["stopped", "stop_contact", "stop_collection", "erase_identity", "died", "ended"]


def test_the_three_topics_are_told_unless_something_silences_them(cast, sink):
    with_three_topics(cast)
    recall(cast.tokyo)
    assert [told(cast, kind) for kind in ("open", "contact", "consent")] == [1, 1, 1]


@pytest.mark.parametrize("how", SILENCES)
def test_silence_at_planning(cast, sink, how):
    silence(cast, with_three_topics(cast), how)
    assert recall(cast.tokyo)[0].due == 0
    assert sink.mails == []


@pytest.mark.parametrize("how", SILENCES)
def test_silence_between_planning_and_sending(cast, sink, how):
    participant = with_three_topics(cast)
    by, now = User.objects.system("recall"), noon(cast.tokyo)
    assert actions.plan(by=by, site=cast.tokyo, now=now).due > 2
    silence(cast, participant, how)
    recall(cast.tokyo)
    with user_scope(cast.ana):
        assert {one.state for one in Delivery.objects.all()} == {Delivery.State.CANCELLED}
    assert sink.mails == []


def test_a_stop_that_is_lifted_lets_it_be_told(cast, sink):
    participant = with_three_topics(cast)
    silence(cast, participant, "stopped")
    recall(cast.tokyo)
    with user_scope(cast.ana):
        actions.lift(by=cast.ana, participant=participant)
    recall(cast.tokyo, days=1)
    assert [told(cast, kind) for kind in ("open", "contact", "consent")] == [1, 1, 1]


# -- who is told -----------------------------------------------------------------------------------


def test_escalations_go_in_a_mail_of_their_own_to_who_they_are_for(cast, sink):
    outstanding(cast.ana, opens=-150, closes=-90)
    recall(cast.tokyo)
    assert headings(sink, ANA) == [
        "OVERDUE: THE WINDOW HAS CLOSED",
        "NOT REACHED: AN ATTEMPT TO RECORD",
    ]
    assert sorted(headings(sink, HIRO)) == sorted([*headings(sink, ANA), "LONG OVERDUE"])
    assert headings(sink, INES) == ["VERY LONG OVERDUE"]
    assert sink.addresses == [ANA, HIRO, HIRO, INES]


def test_on_a_day_without_a_daily_mail_escalations_go_alone(cast, sink):
    with user_scope(cast.ana):
        others = [day for day in range(7) if day != cast.tokyo.today.weekday()]
        SiteTuning.objects.create(site=cast.tokyo, weekdays=others)
    outstanding(cast.ana, opens=-150, closes=-90)
    recall(cast.tokyo)
    assert sink.addresses == [HIRO, INES]
    recall(cast.tokyo, days=1)
    assert sink.addresses == [ANA, HIRO, HIRO, INES]


def test_one_digest_says_to_each_what_is_theirs(cast, sink, clock):
    visit_with_film(cast)
    clock.now += 14 * DAY
    outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    assert headings(sink, ANA) == headings(sink, HIRO) == ["THE WINDOW IS OPEN"]
    assert headings(sink, INES) == ["FILMS THAT NOBODY HAS READ"]
    assert all(re.search(r": 1 recall$", message["Subject"]) for _to, message, _raw in sink.mails)


# -- what a mail never says, how long it gets, in which language -----------------------------------


def one_of_everything(cast, clock):
    """Something of every topic at the site, with a canary in every identity and free text."""
    person = canary()
    query = question(cast, text=f"{CANARY}6: is it 987.65?")
    act(cast.ana, query, Act.ANSWER)
    with user_scope(cast.eli):
        quality.act_on(by=cast.eli, query=query, act=Act.REOPEN, text=f"{CANARY}7")
    visit_with_film(cast)
    sent_back = visit_with_film(cast)
    clock.now += timedelta(minutes=1)
    read(cast, sent_back, **UNREADABLE)
    with user_scope(cast.ana):
        entry = sent_back.entries.filter(form="history").first() or sent_back.entries.first()
        visits.save_draft(
            by=cast.ana, entry=entry, raw={"note": [f"{CANARY}8"]}, revision=entry.revision
        )
    due = outstanding(cast.ana, opens=-3, closes=60, person=person)
    held, stopped = (outstanding(cast.ana, opens=-3, closes=60) for _ in range(2))
    missed = outstanding(cast.ana, opens=-3, closes=60)
    outstanding(cast.ana, opens=-150, closes=-90)
    build.row(
        cast.ana,
        due.participant,
        "event",
        kind="other",
        occurred_on=cast.tokyo.today,
        note=f"{CANARY}9",
    )
    with user_scope(cast.ana):
        Visit.objects.filter(pk=due.pk).update(booked_place=f"{CANARY}10")
        visits.miss_visit(by=cast.ana, visit=missed, because=f"{CANARY}11")
        actions.stop(by=cast.ana, participant=stopped.participant, because=f"{CANARY}12")
        actions.snooze(
            by=cast.ana,
            site=cast.tokyo,
            label="visits.visit",
            key=held.pk,
            until=cast.tokyo.today + 3 * DAY,
            because=f"{CANARY}13",
        )
    clock.now += 14 * DAY
    new_version(cast)


KINDS = {
    *("open", "overdue", "escalated", "escalated_twice", "contact"),
    *("consent", "query", "film_unread", "film_sent_back"),
}


def kinds_told(cast):
    with user_scope(cast.ana):
        return set(Recall.objects.values_list("kind", flat=True))


def test_canaries_are_in_no_mail_header_log_task_or_output(
    cast, sink, eager, clock, monkeypatch, caplog
):
    one_of_everything(cast, clock)
    with user_scope(cast.kei):
        Site.objects.update(sending_hour=0)
    queued = listen(monkeypatch)
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    said = StringIO()
    call_command("recall", "--dry-run", "--json", stdout=said)
    call_command("recall", "--dry-run", stdout=said)
    tasks.tick()
    call_command("recall", "--json", stdout=said)
    assert kinds_told(cast) >= KINDS
    assert len(sink.mails) == 5  # the daily one to three people, escalations to two of them
    assert queued

    with user_scope(cast.ana):
        stored = list(Delivery.objects.values())
    everything = [str(stored), str(queued), caplog.text, said.getvalue()]
    for _address, message, raw in sink.mails:
        everything += [raw.decode("utf-8"), str(message.items())]
        everything += [part.get_content() for part in message.walk() if not part.is_multipart()]
    for text in everything:
        assert not BETRAYALS.search(text)
        assert not re.search("(?i)987[.]65|unreadable", text)


def test_counts_only_leaves_study_numbers_out_of_every_part(cast, sink, clock):
    one_of_everything(cast, clock)
    with user_scope(cast.ana):
        SiteTuning.objects.create(site=cast.tokyo, weekdays=list(range(7)), counts_only=True)
    recall(cast.tokyo)
    assert kinds_told(cast) >= KINDS
    assert len(sink.mails) == 5
    for _address, message, raw in sink.mails:
        parts = [part.get_content() for part in message.walk() if not part.is_multipart()]
        for text in (raw.decode("utf-8"), str(message.items()), *parts):
            assert not re.search(r"TKY-\d{4}", text)
        assert re.search(r"\(\d+\)", plain(message))


@pytest.mark.parametrize("language", ["ja", "pt-br"])
@pytest.mark.parametrize("of", ["site", "reader"])
def test_every_topic_is_written_in_every_language(cast, sink, clock, language, of):
    one_of_everything(cast, clock)
    with user_scope(cast.kei):
        if of == "reader":
            User.objects.filter(is_system=False).update(language=language)
    if of == "site":
        with user_scope(cast.ana):
            SiteTuning.objects.create(site=cast.tokyo, weekdays=list(range(7)), language=language)
    recall(cast.tokyo)
    assert kinds_told(cast) >= KINDS
    assert len(sink.mails) == 5
    for _address, message, _raw in sink.mails:
        assert f'<html lang="{language}">' in message.get_body(("html",)).get_content()


def test_a_letter_of_5000_lines_stays_short_and_counts_right(cast, sink):
    visit = outstanding(cast.ana, opens=100, closes=160)
    today = cast.tokyo.today

    def checks(numbers, opens, closes):
        days = {"opens_on": today + opens * DAY, "closes_on": today + closes * DAY}
        Visit.objects.bulk_create(
            Visit(participant=visit.participant, code=f"UC-{n}", target_on=today, **days)
            for n in numbers
        )

    with user_scope(cast.ana):
        checks(range(1, 2001), -30, -8)
        checks(range(2001, 5001), -3, 30)
    recall(cast.tokyo)
    assert sink.addresses == [ANA, HIRO]
    for _address, message, raw in sink.mails:
        assert message["Subject"] == "Tokyo: 5000 recalls, 2000 overdue"
        assert len(raw) < 100_000
        text = plain(message)
        assert "OVERDUE: THE WINDOW HAS CLOSED (2000)" in text
        assert "ULCERS TO BE CHECKED (3000)" in text
        assert len(re.findall(r"TKY-\d{4}", text)) == 100
        assert "1900" in text
        assert "3000" in text
