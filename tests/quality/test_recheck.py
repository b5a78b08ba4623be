"""What rules find, close, ask again and count; by save, by hand in SQL, and by night."""

import threading
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.urls import reverse

from registry.access.models import User
from registry.access.scope import scope, user_scope
from registry.quality import checks
from registry.quality.actions import QueryError, act_on
from registry.quality.models import DataQuery, Firing, QueryMessage, RecheckRun
from registry.quality.rules import Act
from registry.visits import recheck, tasks
from registry.visits.actions import save_form
from registry.visits.attesting import recheck_attested
from registry.visits.crf import FORMS
from registry.visits.models import FormEntry

from .. import build, people

DAY = date(2026, 5, 1)


@pytest.fixture
def visit(cast):
    return build.attended(cast.ana, build.participant(cast.ana))


def save(cast, visit, calcium, confirmed=False):
    with user_scope(cast.ana):
        entry = FormEntry.objects.get(visit=visit, form="laboratory")
        return save_form(
            by=cast.ana,
            entry=entry,
            values={
                "done_on": visit.attended_on,
                "sampled_on": visit.attended_on,
                "calcium_total": Decimal(calcium),
            },
            absent={},
            confirmed={"calcium_total": calcium} if confirmed else {},
            revision=entry.revision,
        )


def the_query(cast):
    with user_scope(cast.ines):
        return DataQuery.objects.filter(item="calcium_total").first()


def turns(cast):
    with user_scope(cast.ines):
        return [
            (one.act, one.by_rule)
            for one in QueryMessage.objects.filter(query__item="calcium_total")
        ]


def outcomes(cast):
    with user_scope(cast.ines):
        found = Firing.objects.filter(item="calcium_total").order_by("pk")
        return list(found.values_list("outcome", flat=True))


def test_mended_data_close_and_broken_data_ask_again_in_the_same_thread(cast, visit):
    save(cast, visit, "3.500")
    first = the_query(cast)
    save(cast, visit, "2.300")
    assert the_query(cast).mended
    save(cast, visit, "3.600")
    again = the_query(cast)
    assert (again.pk, again.state, again.closed_at) == (first.pk, "new", None)
    assert "3.6" in again.message
    assert turns(cast) == [("asked", True), ("closed", True), ("reopened", True)]
    assert outcomes(cast) == ["mended", "open"]


def test_another_odd_value_is_asked_about_anew(cast, visit):
    save(cast, visit, "3.500")
    with user_scope(cast.ana):
        act_on(by=cast.ana, query=the_query(cast), act=Act.ANSWER, text="Measured twice.")
    save(cast, visit, "3.500")
    assert the_query(cast).state == "answered"  # the same finding is not asked about twice
    save(cast, visit, "3.700")
    query = the_query(cast)
    assert (query.state, query.owner) == ("new", "site")
    assert "3.7" in query.message


def test_a_confirmed_value_is_counted_and_never_asked_about(cast, visit):
    save(cast, visit, "3.500", confirmed=True)
    save(cast, visit, "3.500", confirmed=True)
    assert the_query(cast) is None
    assert outcomes(cast) == ["settled"]
    save(cast, visit, "3.600")
    assert the_query(cast).state == "new"
    assert outcomes(cast) == ["settled", "open"]


def test_confirming_later_settles_and_closes(cast, visit):
    save(cast, visit, "3.500")
    save(cast, visit, "3.500", confirmed=True)
    assert the_query(cast).state == "closed"
    assert outcomes(cast) == ["settled"]


def test_what_a_data_manager_accepted_stays_quiet_until_it_changes(cast, visit):
    save(cast, visit, "3.500")
    with user_scope(cast.ines):
        act_on(by=cast.ines, query=the_query(cast), act=Act.CLOSE)
    assert outcomes(cast) == ["settled"]
    save(cast, visit, "3.500")
    assert the_query(cast).state == "closed"
    assert outcomes(cast) == ["settled"]
    save(cast, visit, "3.600")
    assert the_query(cast).state == "new"
    assert outcomes(cast) == ["settled", "open"]


def test_what_was_accepted_can_be_asked_again_what_is_mended_cannot(cast, visit):
    save(cast, visit, "3.500")
    with user_scope(cast.ines):
        act_on(by=cast.ines, query=the_query(cast), act=Act.CLOSE)
        act_on(by=cast.ines, query=the_query(cast), act=Act.REOPEN, text="Too soon.")
    assert (the_query(cast).state, outcomes(cast)) == ("new", ["open"])
    save(cast, visit, "2.300")
    with user_scope(cast.ines), pytest.raises(QueryError):
        act_on(by=cast.ines, query=the_query(cast), act=Act.REOPEN, text="Why?")


def test_the_question_is_worded_the_same_whoever_saves(cast, visit):
    from django.utils import translation

    with translation.override("ja"):
        save(cast, visit, "3.500")
    assert "is unusual" in the_query(cast).message


# -- how the rules do ----------------------------------------------------------------------------


def test_a_rule_that_is_mostly_wrong_is_marked_for_the_data_manager(client, cast, visit):
    with user_scope(cast.ines):
        Firing.objects.bulk_create(
            Firing(
                site=cast.tokyo,
                participant_no=visit.participant_id,
                label="crfs.laboratory",
                key=number,
                item=item,
                rule="expected",
                about="x",
                outcome="settled" if number < 26 else "mended",
            )
            for item, count in (("crp", 30), ("pth", 29))
            for number in range(count)
        )
    client.force_login(cast.ines)
    page = client.get(reverse("rules")).content.decode()
    assert page.count("Review: asks too much") == 1
    assert "87%" in page
    for who in (cast.ana, cast.eli):
        client.force_login(who)
        assert client.get(reverse("rules")).status_code == 403


# -- by night ------------------------------------------------------------------------------------


def by_sql(cast, calcium):
    with user_scope(cast.ana), connections["default"].cursor() as cursor:
        cursor.execute("UPDATE crfs_laboratory SET calcium_total = %s", [calcium])


@pytest.fixture
def nightly(db):
    return User.objects.system("recheck")


def test_the_night_finds_what_came_by_sql_and_does_nothing_twice(cast, visit, monkeypatch):
    save(cast, visit, "2.300")
    by_sql(cast, "3.500")
    monkeypatch.setattr(tasks.recheck_site, "delay", tasks.recheck_site)
    for _run in range(2):
        tasks.recheck_everything()
    query = the_query(cast)
    assert (query.state, query.opened_by.name) == ("new", "Nightly check")
    assert turns(cast) == [("asked", True)]
    with user_scope(cast.eli):
        assert [run.checked for run in RecheckRun.objects.order_by("-checked")] == [1, 0]
        assert not RecheckRun.objects.filter(finished_at=None).exists()


def test_a_night_that_was_killed_goes_on_where_it_was(cast, nightly, monkeypatch):
    for _more in range(3):
        build.participant(cast.ana)
    monkeypatch.setattr(recheck, "CHUNK", 1)
    seen = []

    def dies(by, site, participants):
        if len(seen) == 1:
            raise KeyboardInterrupt
        seen.extend(participants)

    monkeypatch.setattr(recheck, "check_participants", dies)
    with pytest.raises(KeyboardInterrupt):
        recheck.check_site(by=nightly, site=cast.tokyo, day=DAY)
    with user_scope(cast.eli):
        run = RecheckRun.objects.get()
        assert (run.checked, run.upto, run.finished_at) == (1, seen[0], None)
    monkeypatch.setattr(
        recheck, "check_participants", lambda by, site, participants: seen.extend(participants)
    )
    assert recheck.check_site(by=nightly, site=cast.tokyo, day=DAY)
    assert len(seen) == len(set(seen)) == 3


@pytest.fixture
def broken(cast, visit, monkeypatch):
    """A check that raises for one participant, in the middle of what it writes."""

    def raises(participant_no):
        if participant_no == visit.participant_id:
            Firing.objects.all().update(about="half done")
            raise ValueError("a record nobody foresaw")

    monkeypatch.setattr(checks, "_upkeeps", [raises])
    return visit.participant_id


def test_one_participant_whose_check_raises_stops_no_other(cast, visit, broken, nightly, caplog):
    other = build.attended(cast.ana, build.participant(cast.ana))
    with user_scope(cast.ana):
        entry = other.entries.get(form="laboratory")
        odd = {"done_on": other.attended_on, "calcium_total": Decimal("3.5")}
        FORMS["laboratory"].model(entry=entry, sampled_on=other.attended_on, **odd).save()
    assert recheck.check_site(by=nightly, site=cast.tokyo, day=DAY)
    assert the_query(cast).participant_no == other.participant_id
    with user_scope(cast.eli):
        run = RecheckRun.objects.get()
        assert (run.checked, bool(run.finished_at)) == (2, True)
        assert not Firing.objects.filter(about="half done").exists()
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ValueError]
    assert f"1 could not be checked: {broken}" in caplog.records[-1].message


def test_the_command_names_whom_it_could_not_check(cast, visit, broken, capsys):
    build.participant(cast.ana)
    with pytest.raises(CommandError, match=f"TKY: 1 could not be checked: {broken}"):
        call_command("recheck", site="tky")
    assert "TKY: 2 participants checked" in capsys.readouterr().out


def test_all_signatures_of_a_chunk_are_read_at_once(cast, nightly, django_assert_max_num_queries):
    keys = [build.signed(cast.hiro, build.participant(cast.hiro)).participant_id]
    with user_scope(cast.hiro), django_assert_max_num_queries(60) as alone:
        recheck_attested(by=nightly, participants=keys)
    keys.append(build.signed(cast.hiro, build.participant(cast.hiro)).participant_id)
    with user_scope(cast.hiro), django_assert_max_num_queries(len(alone)):
        recheck_attested(by=nightly, participants=keys)


def test_two_workers_never_check_the_same_site(committed, monkeypatch):
    cast = people.make_cast()
    build.participant(cast.ana)
    nightly = User.objects.system("recheck")
    seen = []

    def second():
        try:
            seen.append(recheck.check_site(by=nightly, site=cast.tokyo, day=DAY))
        finally:
            connections.close_all()

    def first(by, site, participants):
        other = threading.Thread(target=second)
        other.start()
        other.join(20)

    monkeypatch.setattr(recheck, "check_participants", first)
    assert recheck.check_site(by=nightly, site=cast.tokyo, day=DAY)
    assert seen == [False]


def test_two_savers_of_one_participant_never_ask_twice(committed):
    """Both checks run before either commits: without a turn, one would fail on the unique key."""
    cast = people.make_cast()
    visit = build.attended(cast.ana, build.participant(cast.ana))
    save(cast, visit, "2.300")
    by_sql(cast, "3.500")
    with scope(User.objects.system("recheck"), [cast.tokyo.pk]):
        subject = visit.participant_id
    errors = []

    def check():
        try:
            with user_scope(cast.ana):
                recheck.check_participants(by=cast.ana, site=cast.tokyo, participants=[subject])
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    with user_scope(cast.ana):
        recheck.check_participants(by=cast.ana, site=cast.tokyo, participants=[subject])
        other = threading.Thread(target=check)
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join(20)
    assert errors == []
    assert turns(cast) == [("asked", True)]


def test_two_who_close_one_query_close_it_once(committed):
    cast = people.make_cast()
    visit = build.attended(cast.ana, build.participant(cast.ana))
    save(cast, visit, "3.500")
    query, errors = the_query(cast), []

    def close():
        try:
            with user_scope(cast.ines):
                act_on(by=cast.ines, query=query, act=Act.CLOSE)
        except QueryError as error:
            errors.append(str(error))
        finally:
            connections.close_all()

    with user_scope(cast.ines):
        act_on(by=cast.ines, query=query, act=Act.CLOSE)
        other = threading.Thread(target=close)
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join(20)
    assert errors == ["The query is closed by now: read on before you go on."]
    assert turns(cast) == [("asked", True), ("closed", False)]


def test_the_command_checks_a_site_or_one_participant(cast, visit, capsys):
    save(cast, visit, "2.300")
    by_sql(cast, "3.500")
    with user_scope(cast.ana):
        number = visit.participant.study_number
    call_command("recheck", site="rio")
    assert the_query(cast) is None
    call_command("recheck", participant=number.lower())
    assert the_query(cast).state == "new"
    by_sql(cast, "2.300")
    call_command("recheck")
    assert the_query(cast).state == "closed"
    out = capsys.readouterr().out
    assert f"{number}: checked." in out
    assert "TKY: 1 participants checked" in out
    for wrong in ({"site": "XXX"}, {"participant": "TKY-9999"}, {"participant": "?"}):
        with pytest.raises(CommandError):
            call_command("recheck", **wrong)


def test_a_chunk_costs_the_same_however_many_are_in_it(
    cast, visit, nightly, django_assert_max_num_queries
):
    """Save the checks of higher rooms, which read one participant at a time."""
    from registry.visits.checks import stored_forms

    subjects = [visit.participant_id]
    save(cast, visit, "2.300")
    with user_scope(cast.ana):
        with django_assert_max_num_queries(60) as first:
            list(stored_forms(subjects))
        count = len(first)
    for _more in range(2):
        other = build.attended(cast.ana, build.participant(cast.ana))
        build.form(cast.ana, other, "laboratory")
        subjects.append(other.participant_id)
    with user_scope(cast.ana), django_assert_max_num_queries(count):
        list(stored_forms(subjects))
