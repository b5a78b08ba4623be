"""What will be told, and what people hold back, stop, send again and tune."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.core.dates import show_date
from registry.recall import actions
from registry.recall.kinds import Kind, Setting, Tuning
from registry.recall.models import Delivery, KindTuning, Recall, RecallStop
from registry.recall.tuning import tuning_of

from ..posting import made_for
from .scene import noon, outstanding, recall

pytestmark = pytest.mark.slow

VISIT = "visits.visit"


@pytest.fixture
def visit(cast):
    return outstanding(cast.ana, opens=-3, closes=60)


def snooze(cast, visit, days=5, because="on holiday", by=None):
    with user_scope(by or cast.ana):
        return actions.snooze(
            by=by or cast.ana,
            site=cast.tokyo,
            label=VISIT,
            key=visit.pk,
            until=cast.tokyo.today + timedelta(days=days),
            because=because,
        )


def told_on(cast, days):
    """The days from today on which anything is told."""
    return [day for day in range(days) if recall(cast.tokyo, days=day)[0].due]


# -- snooze ----------------------------------------------------------------------------------------


def test_a_line_held_back_is_told_on_its_day_and_then_as_ever(cast, sink, visit):
    snooze(cast, visit)
    assert told_on(cast, 70) == [5, 53, 67]


def test_a_line_held_back_after_planning_drops_out_of_the_mail(cast, sink, visit):
    by = cast.ana.__class__.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
    snooze(cast, visit)
    keys = actions.unfinished(by=by, site=cast.tokyo)
    actions.send(by=by, waiting=[(cast.tokyo, keys)], now=noon(cast.tokyo))
    assert sink.mails == []
    assert [day for day in range(1, 8) if recall(cast.tokyo, days=day)[0].due] == [5]


def test_the_newest_day_counts(cast, sink, visit):
    snooze(cast, visit, days=30)
    snooze(cast, visit, days=2)
    assert told_on(cast, 31) == [2]


@pytest.mark.parametrize(
    ("days", "because", "item"),
    [(0, "x", "until"), (91, "x", "until"), (5, " ", "because"), (5, "x" * 201, "because")],
)
def test_what_cannot_be_held_back(cast, visit, days, because, item):
    with pytest.raises(actions.RecallError) as refused:
        snooze(cast, visit, days=days, because=because)
    assert refused.value.item == item


def test_the_page_holds_back_one_line_and_keeps_what_was_typed(cast, client, visit):
    client.force_login(cast.ana)
    url = reverse("recall_snooze", args=[VISIT, visit.pk])
    page = client.get(url).content.decode()
    assert visit.participant.study_number in page
    wrong = client.post(url, {"until": "yesterday", "because": "on holiday"})
    assert wrong.status_code == 422
    assert "on holiday" in wrong.content.decode()
    until = (cast.tokyo.today + timedelta(days=5)).isoformat()
    done = client.post(url, {"until": until, "because": "on holiday"})
    assert done["Location"] == reverse("recalls_coming") + "?site=TKY"
    with user_scope(cast.ana):
        assert actions.forecast(site=cast.tokyo, now=noon(cast.tokyo), days=4) == []


def test_nobody_holds_back_another_sites_line(cast, client, visit):
    url = reverse("recall_snooze", args=[VISIT, visit.pk])
    for who, status in ((cast.ben, 404), (cast.vera, 403), (cast.eli, 403)):
        client.force_login(who)
        assert client.get(url).status_code == status
    client.force_login(cast.ana)
    for other in (("visits.visit", 0), ("access.user", 1), ("no.model", visit.pk)):
        assert client.get(reverse("recall_snooze", args=other)).status_code == 404


# -- stop ------------------------------------------------------------------------------------------


def test_recall_of_a_participant_stops_and_goes_on(cast, sink, visit):
    with user_scope(cast.ana):
        actions.stop(by=cast.ana, participant=visit.participant, because="asked us to wait")
        with pytest.raises(actions.RecallError, match="stopped already"):
            actions.stop(by=cast.ana, participant=visit.participant, because="again")
    assert recall(cast.tokyo)[0].due == 0
    with user_scope(cast.hiro):
        actions.lift(by=cast.hiro, participant=visit.participant)
        with pytest.raises(actions.RecallError, match="not stopped"):
            actions.lift(by=cast.hiro, participant=visit.participant)
        (stop,) = RecallStop.objects.all()
        assert (stop.by, stop.lifted_by, stop.because) == (cast.ana, cast.hiro, "asked us to wait")
    assert recall(cast.tokyo, days=1)[0].due == 1


def test_the_participants_page_stops_lifts_and_says_who(cast, client, visit):
    client.force_login(cast.ana)
    url = reverse("recall_of_participant", args=[visit.participant.study_number])
    guard = made_for(client, visit.participant)
    assert "24 months" in client.get(url).content.decode()
    assert client.post(url, guard).status_code == 422
    assert client.post(url, {"because": "moving house"}).status_code == 409  # no page's own form
    assert client.post(url, guard | {"because": "moving house"}).status_code == 302
    page = client.get(url).content.decode()
    assert "Stopped by Ana Sato" in page
    assert "moving house" in page
    assert "24 months" not in page
    # Who pressed the same button a moment later lifts nothing.
    again = client.post(url, guard | {"because": "moving house"}, follow=True)
    assert "is stopped already" in again.content.decode()
    assert "Stopped by Ana Sato" in again.content.decode()
    lift = guard | {"action": "lift"}
    assert client.post(url, lift).status_code == 302
    assert "24 months" in client.get(url).content.decode()
    assert "is not stopped" in client.post(url, lift, follow=True).content.decode()
    client.force_login(cast.vera)
    assert client.get(url).status_code == 200
    assert client.post(url, guard).status_code == 403


# -- to come ---------------------------------------------------------------------------------------


def forecast(cast, days=14, start=0) -> list[Any]:
    with user_scope(cast.ana):
        return actions.forecast(site=cast.tokyo, now=noon(cast.tokyo, start), days=days)


@pytest.mark.parametrize("weekdays", [range(7), (0, 3), (5,)])
def test_the_forecast_is_what_then_is_told(cast, sink, weekdays):
    for opens, closes in ((40, 90), (33, 60), (5, 12), (-3, 8), (-30, -2), (-80, -20), (-90, -50)):
        outstanding(cast.ana, opens=opens, closes=closes)
    held = outstanding(cast.ana, opens=-3, closes=60)
    snooze(cast, held, days=6)
    with user_scope(cast.hiro):
        actions.tune(by=cast.hiro, site=cast.tokyo, tuning=Tuning(frozenset(weekdays)))
    foreseen = {
        ((one.day - cast.tokyo.today).days, one.kind, one.key) for one in forecast(cast, days=45)
    }
    told = set()
    for day in range(45):
        recall(cast.tokyo, days=day)
        with user_scope(cast.ana):
            rows = Recall.objects.filter(digest__day=cast.tokyo.today + timedelta(days=day))
            told |= {(day, row.kind, row.key) for row in rows}
    assert foreseen == told
    assert len(told) > 10
    with user_scope(cast.ana):
        own = actions.forecast(
            site=cast.tokyo, now=noon(cast.tokyo, 45), days=60, of=held.participant
        )
        everybodys = actions.forecast(site=cast.tokyo, now=noon(cast.tokyo, 45), days=60)
    number = held.participant.study_number
    assert own == [one for one in everybodys if one.line.study_number == number]
    assert own != everybodys


def test_a_day_that_is_planned_is_not_to_come(cast, sink, visit):
    assert [one.day for one in forecast(cast)] == [cast.tokyo.today]
    recall(cast.tokyo)
    assert forecast(cast) == []


def test_the_page_shows_what_is_to_come_and_where_to_hold_it_back(cast, client, visit):
    client.force_login(cast.ana)
    page = client.get(reverse("recalls_coming")).content.decode()
    assert show_date(cast.tokyo.today) in page
    assert visit.participant.study_number in page
    assert reverse("recall_snooze", args=[VISIT, visit.pk]) in page
    client.force_login(cast.vera)
    assert "Hold back" not in client.get(reverse("recalls_coming")).content.decode()
    client.force_login(cast.ben)
    assert (
        visit.participant.study_number
        not in client.get(reverse("recalls_coming"), {"site": "TKY"}).content.decode()
    )


# -- again -----------------------------------------------------------------------------------------


def delivery_of(cast, user):
    with user_scope(cast.ana):
        return Delivery.objects.filter(recipient=user).latest("number")


def test_a_mail_goes_again_with_a_reason_to_the_address_of_today(cast, client, sink, visit):
    sink.answers = {"ana@example.org": "550 no such mailbox"}
    recall(cast.tokyo)
    failed = delivery_of(cast, cast.ana)
    with user_scope(cast.kei):
        type(cast.ana).objects.filter(pk=cast.ana.pk).update(email="ana.sato@example.org")
    client.force_login(cast.hiro)
    url = reverse("recall_again", args=[failed.pk])
    assert client.post(url, {"because": " "}).status_code == 422
    assert client.post(url, {"because": "address mended"}).status_code == 302
    assert client.post(url, {"because": "twice"}).status_code == 422  # it is still on its way
    recall(cast.tokyo)
    again = delivery_of(cast, cast.ana)
    assert (again.number, again.because, again.state) == (2, "address mended", "sent")
    assert again.message_id != failed.message_id
    assert "ana.sato@example.org" in sink.addresses
    with user_scope(cast.hiro):
        change = Change.objects.filter(label="recall.delivery", key=again.pk).earliest("id")
        assert (change.by, change.reason) == (cast.hiro, "address mended")


def test_who_may_not_enter_sends_nothing_again(cast, client, sink, visit):
    recall(cast.tokyo)
    url = reverse("recall_again", args=[delivery_of(cast, cast.ana).pk])
    for who, status in ((cast.vera, 403), (cast.ben, 404), (cast.eli, 403), (cast.ines, 302)):
        client.force_login(who)
        assert client.post(url, {"because": "please"}).status_code == status


# -- tuning ----------------------------------------------------------------------------------------


def posted(form):
    """What the page would send as it stands."""
    data = {}
    for field in form:
        value = field.value()
        if value not in (None, False, ""):
            data[field.html_name] = "on" if value is True else value
    return data


def test_a_site_tunes_its_recalls(cast, client, sink, visit):
    client.force_login(cast.hiro)
    url = reverse("recall_tuning", args=["TKY"])
    sent = posted(client.get(url).context["form"])
    sent["open-days"] = "4"
    sent["overdue-roles"] = ["coordinator"]
    sent["weekdays"] = [0, 1, 2, 3, 4, 5, 6]
    sent.pop("query-on")
    assert client.post(url, sent).status_code == 302
    with user_scope(cast.hiro):
        tuning = tuning_of(cast.tokyo)
        assert {one.kind for one in KindTuning.objects.all()} == {"open", "overdue", "query"}
    assert tuning.days(Kind.OPEN) == (4,)
    assert tuning.days(Kind.QUERY) == ()
    assert told_on(cast, 3) == [0, 1]  # coming up, and from its fourth day on open
    assert client.post(url, posted(client.get(url).context["form"]) | {"open-days": "0"})
    with user_scope(cast.hiro):
        assert not KindTuning.objects.filter(kind="open").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("open-days", "soon", "type days"),
        ("open-days", "", "type days"),
        ("overdue-days", "7, 400", "type days"),
        ("overdue-days", "7, " + "9" * 5000, "type days"),
        ("contact-days", "63", "two numbers"),
        ("overdue-roles", [], "choose who is told"),
        ("weekdays", [], "still to be answered"),
    ],
)
def test_bad_settings_are_refused_at_their_place(cast, client, name, value, said):
    client.force_login(cast.hiro)
    url = reverse("recall_tuning", args=["TKY"])
    answer = client.post(url, posted(client.get(url).context["form"]) | {name: value})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    with user_scope(cast.hiro):
        assert not KindTuning.objects.exists()


def test_only_who_may_tune_a_site_does(cast, client):
    url = reverse("recall_tuning", args=["TKY"])
    for who, status in ((cast.ana, 403), (cast.vera, 403), (cast.ines, 200), (cast.hiro, 200)):
        client.force_login(who)
        assert client.get(url).status_code == status


def test_counts_only_leaves_every_number_out(cast, sink, visit):
    with user_scope(cast.hiro):
        actions.tune(by=cast.hiro, site=cast.tokyo, tuning=Tuning(counts_only=True, language="ja"))
    recall(cast.tokyo)
    for _address, message, raw in sink.mails:
        assert b"TKY-0" not in raw
        assert "TKY-0" not in message.get_body(("html",)).get_content()
        assert '<html lang="ja">' in message.get_body(("html",)).get_content()


def test_escalations_go_on_days_without_a_daily_mail(cast, sink):
    outstanding(cast.ana, opens=-90, closes=-30)
    nothing = Tuning(frozenset({(cast.tokyo.today.weekday() + 1) % 7}))
    with user_scope(cast.hiro):
        actions.tune(by=cast.hiro, site=cast.tokyo, tuning=nothing)
    recall(cast.tokyo)
    assert sink.addresses == ["hiro@example.org"]
    recall(cast.tokyo, days=1)
    assert sink.addresses == ["ana@example.org", "hiro@example.org", "hiro@example.org"]


def test_the_standard_is_the_protocols():
    assert Tuning().settings[Kind.OVERDUE] == Setting(
        (7, 21, 35, 49), Tuning().settings[Kind.OPEN].roles
    )
