"""``manage.py recall``."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from registry.access.models import User
from registry.access.scope import user_scope
from registry.recall.models import Delivery, PlanningRun, Recall

from .scene import noon, outstanding


def recall(*arguments):
    out = StringIO()
    call_command("recall", *arguments, stdout=out)
    return out.getvalue()


def as_json(*arguments):
    return {line["site"]: line for line in json.loads(recall("--json", *arguments))}


@pytest.fixture
def visit(cast):
    return outstanding(cast.ana, opens=-3, closes=60)


def test_it_plans_and_sends_what_is_due_at_each_sites_own_hour(cast, visit, sink):
    said = as_json("--at", noon(cast.tokyo).isoformat())
    assert (said["TKY"]["planned"], said["TKY"]["due"]) == (True, 1)
    assert [one["state"] for one in said["TKY"]["deliveries"]] == ["sent", "sent"]
    assert said["RIO"]["planned"] is False  # midnight there
    assert len(sink.mails) == 2


def test_now_takes_every_sites_hour_as_come_and_a_second_run_changes_nothing(cast, visit, sink):
    midnight = noon(cast.tokyo).replace(hour=0).isoformat()
    first = recall("--now", "--at", midnight)
    assert f"TKY {cast.tokyo.today}: 1 due, planned; mails: 2 sent" in first
    second = recall("--now", "--at", midnight)
    assert f"TKY {cast.tokyo.today}: too early, or planned already\n" in second
    assert len(sink.mails) == 2


def test_a_dry_run_says_what_is_due_and_writes_nothing(cast, visit, sink):
    assert f"TKY {cast.tokyo.today}: 1 due\n" in recall(
        "--dry-run", "--at", noon(cast.tokyo).isoformat()
    )
    with user_scope(cast.eli):
        for model in (PlanningRun, Recall, Delivery):
            assert not model.objects.exists()
    assert sink.mails == []


def test_a_failure_is_said_with_its_reason(cast, visit, sink):
    sink.answers = {"ana@example.org": "550 no such mailbox"}
    said = recall("--at", noon(cast.tokyo).isoformat())
    assert "mails: 1 sent, 1 failed (550 no such mailbox)" in said


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("yesterday", "“yesterday” is no time"),
        ("2026-13-01T07:00Z", "is no time"),
        ("2026-05-01T07:00", "says no offset from UTC"),
        ("", "“” is no time"),
        ("0001-01-01T00:00+09:00", "lies outside"),
        ("9999-12-31T23:00-09:00", "lies outside"),
    ],
)
def test_a_wrong_time_is_refused_in_one_sentence(cast, given, sentence):
    with pytest.raises(CommandError, match=sentence) as caught:
        recall("--at", given)
    assert "\n" not in str(caught.value)


def test_without_a_site_it_says_so(committed):
    assert User.objects.system("recall")
    assert recall() == "There is no site yet, so there is nothing to recall.\n"


def test_the_forecast_is_told_in_words_and_for_machines(cast, visit):
    at = ("--at", noon(cast.tokyo).isoformat())
    number = visit.participant.study_number
    line = f"TKY {cast.tokyo.today} open {number} 24 months, with X-ray\n"
    assert recall("--forecast", "14", *at) == line
    (found,) = json.loads(recall("--forecast", "14", "--json", *at))
    assert (found["site"], found["participant"], found["kind"]) == ("TKY", number, "open")
    with user_scope(cast.ana):
        type(visit).objects.filter(pk=visit.pk).update(missed_because="moved away")
    assert recall("--forecast", "14", *at) == "Nothing is to be told.\n"
    with pytest.raises(CommandError, match="1 to 366 days"):
        recall("--forecast", "0")
