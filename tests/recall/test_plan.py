"""Recall of a plan that moves: event-driven visits, appointments, amendments."""

from datetime import datetime, time, timedelta

import pytest

from registry.access.models import User
from registry.access.scope import user_scope
from registry.recall import actions as recalls
from registry.recall.models import Recall
from registry.visits import actions, schedule
from registry.visits.models import FormEntry, Visit
from registry.visits.schedule import Plan, PlannedVisit

from .. import build
from ..ulcers import build as ulcer_build
from .scene import noon, outstanding, recall

pytestmark = pytest.mark.slow


@pytest.fixture
def wound(cast):
    """An open ulcer last seen 21 days ago: its check's window opens today, its only visit due."""
    enrolled_on = cast.tokyo.today - timedelta(days=21)
    subject = build.participant(cast.ana, enrolled_on=enrolled_on)
    baseline = build.attended(cast.ana, subject)
    ulcer = ulcer_build.ulcer(cast.ana, baseline)
    ulcer_build.assessed(cast.ana, baseline, ulcer)
    return baseline, ulcer


def told(cast):
    with user_scope(cast.ana):
        codes = dict(Visit.objects.values_list("pk", "code"))
        rows = Recall.objects.filter(label="visits.visit").order_by("pk")
        return [(codes[row.key], row.kind) for row in rows]


def test_a_check_is_recalled_by_its_name_and_again_when_it_moves(cast, sink, wound):
    baseline, ulcer = wound
    recall(cast.tokyo)
    assert ("UC-1", "check_ulcers") in told(cast)
    assert "Ulcer check 1" in sink.mails[0][1].get_body(("plain",)).get_content()
    with user_scope(cast.ana):
        seen = actions.add_unscheduled_visit(
            by=cast.ana,
            participant=baseline.participant,
            on=cast.tokyo.today,
            forms=["ulcers"],
        )
    ulcer_build.assessed(cast.ana, seen, ulcer)
    for day in range(1, 22):
        recall(cast.tokyo, days=day)
    assert [kind for code, kind in told(cast) if code == "UC-1"] == ["check_ulcers"] * 2


def test_a_cancelled_check_is_never_recalled_and_its_confirmation_is(cast, sink, wound):
    baseline, ulcer = wound
    ulcer_build.assessed(cast.ana, baseline, ulcer, "closed")
    for day in range(40):
        recall(cast.tokyo, days=day)
    # Closed 21 days ago: the confirmation's window opened a week ago and closes in a week.
    assert told(cast)[0] == ("HC-1", "closing")
    assert {code for code, _kind in told(cast)} == {"HC-1", "M03"}
    assert "Healing confirmation 1" in sink.mails[0][1].get_body(("plain",)).get_content()


def test_a_check_cancelled_after_planning_is_left_out_of_the_mail(cast, sink, wound):
    by, now = User.objects.system("recall"), noon(cast.tokyo)
    recalls.plan(by=by, site=cast.tokyo, now=now)
    with user_scope(cast.ana):
        Visit.objects.filter(code="UC-1").update(cancelled_on=cast.tokyo.today)
    keys = recalls.unfinished(by=by, site=cast.tokyo)
    states = recalls.send(by=by, waiting=[(cast.tokyo, keys)], now=now)
    assert set(states.values()) == {"cancelled"}
    assert sink.mails == []


def test_a_missed_check_is_not_recalled_and_its_successor_is(cast, sink, wound):
    with user_scope(cast.ana):
        check = Visit.objects.select_related("participant__site").get(code="UC-1")
        actions.miss_visit(by=cast.ana, visit=check, because="on a journey")
    for day in range(40):
        recall(cast.tokyo, days=day)
    # Given up on its target, day 7 from today: the next target is 28 days on.
    assert ("UC-2", "check_ulcers") in told(cast)
    assert {code for code, _kind in told(cast)} == {"UC-2", "M03"}


def test_the_end_of_participation_ends_recall(cast, sink, wound):
    baseline, _ulcer = wound
    with user_scope(cast.ana):
        entry = FormEntry.objects.create(
            participant=baseline.participant, form="end", occurrence="1"
        )
        today = cast.tokyo.today
        actions.save_form(
            by=cast.ana,
            entry=entry,
            values={"done_on": today, "ended_on": today, "reason": "moved"},
            absent={},
            revision=0,
        )
    for day in (0, 60, 100):
        assert recall(cast.tokyo, days=day)[0].due == 0


def test_an_appointment_is_no_occasion(cast, sink):
    visit = outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    at = datetime.combine(cast.tokyo.today + timedelta(days=9), time(10), cast.tokyo.zone)
    with user_scope(cast.ana):
        actions.book_visit(by=cast.ana, visit=visit, at=at, place="Room 4")
    assert recall(cast.tokyo, days=1)[0].due == 0
    assert "Room 4" not in "".join(str(raw) for _address, _message, raw in sink.mails)


def test_an_amendment_recalls_nothing_again_and_its_new_visit_once(cast, sink, monkeypatch):
    subject = build.participant(cast.ana, enrolled_on=cast.tokyo.today - timedelta(days=100))
    baseline = build.attended(cast.ana, subject)
    ulcer = ulcer_build.ulcer(cast.ana, baseline)
    ulcer_build.assessed(cast.ana, baseline, ulcer)
    recall(cast.tokyo)
    before = told(cast)
    assert {code for code, _kind in before} == {"M03", "UC-1"}

    extra = PlannedVisit("M04", "4 months", 121, 28, 28, schedule.SHORT)
    amendment = Plan("1.1", (*schedule.PLAN_1_0.visits, extra))
    monkeypatch.setitem(schedule.PLANS, "1.1", amendment)
    with user_scope(cast.ana):
        actions.adopt_plan(by=cast.ana, participants=[subject.pk], plan=amendment)
    for day in (1, 2, 3):
        recall(cast.tokyo, days=day)
    assert told(cast) == [*before, ("M04", "open")]
    # Two days with something to say to two recipients; two escalations of the check on the first.
    assert len(sink.mails) == 6
