"""Pausing the daily mails: by the link in them, without a log-in, and on the recall page."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.db import transaction
from django.test import Client
from django.utils import timezone, translation

from registry.access.models import Site, User
from registry.access.scope import scope, user_scope
from registry.audit.models import Change
from registry.recall import actions, signed
from registry.recall.models import Delivery, Digest, MailPause, MailStop, Recall

from .scene import noon, outstanding, send_waiting

pytestmark = pytest.mark.slow

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def day(cast, days):
    """Plan and send Tokyo's day ``days`` from today, as the ticks of that day do."""
    by, now = User.objects.system("recall"), noon(cast.tokyo, days)
    actions.plan(by=by, site=cast.tokyo, now=now)
    actions.tell(by=by, site=cast.tokyo, now=now)
    return send_waiting(cast.tokyo, now)


@pytest.fixture
def morning(cast, sink):
    """A daily mail went to Ana and Hiro."""
    outstanding(cast.ana, opens=-3, closes=60)
    day(cast, 0)
    return sink


def mail_to(sink, name):
    return next(m for address, m, _raw in reversed(sink.mails) if address == f"{name}@example.org")


def link_of(message):
    """Where the mail's own header and both of its parts say that it can be paused."""
    (link,) = re.fullmatch(r"<(\S+)>", message["List-Unsubscribe"].strip()).groups()
    for kind in ("plain", "html"):
        assert link in message.get_body((kind,)).get_content()
    return urlsplit(link).path


def pauses(cast):
    with user_scope(cast.eli):
        return list(
            MailPause.objects.filter(lifted_at=None).values_list("user__name", "site__name")
        )


def strangers():
    """A client without cookies that answers as strictly as the browser of somebody unknown."""
    return Client(enforce_csrf_checks=True)


# -- the link in the mail ------------------------------------------------------------------------


def test_a_daily_mail_can_be_paused_with_one_click_and_without_cookies(cast, morning):
    link = link_of(mail_to(morning, "hiro"))
    assert mail_to(morning, "hiro")["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for _twice in range(2):
        answer = strangers().post(link, ONE_CLICK)
        assert answer.status_code == 200
        assert "The daily mails are paused" in answer.content.decode()
    assert pauses(cast) == [("Hiro Mori", "Tokyo")]
    morning.mails.clear()
    outstanding(cast.ana, opens=-3, closes=60)
    day(cast, 1)
    assert morning.addresses == ["ana@example.org"]


def test_each_recipient_has_a_link_of_their_own(cast, morning):
    assert link_of(mail_to(morning, "ana")) != link_of(mail_to(morning, "hiro"))
    strangers().post(link_of(mail_to(morning, "ana")))
    assert pauses(cast) == [("Ana Sato", "Tokyo")]


def test_the_kept_mail_is_the_mail_as_it_went(cast, morning):
    with user_scope(cast.eli):
        kept = Delivery.objects.get(recipient=cast.hiro)
    assert link_of(mail_to(morning, "hiro")) in kept.text
    assert link_of(mail_to(morning, "hiro")) in kept.html


def test_looking_at_the_link_pauses_nothing_and_asks(cast, morning):
    link = link_of(mail_to(morning, "hiro"))
    for ask in (strangers().get, strangers().head, strangers().get):
        assert ask(link).status_code == 200
    assert pauses(cast) == []
    page = strangers().get(link).content.decode()
    assert '<form method="post">' in page
    assert "Hiro Mori would get no daily mail about the recalls of Tokyo" in page
    for method in ("put", "delete", "patch"):
        assert getattr(strangers(), method)(link).status_code == 405


def test_the_page_is_kept_by_no_cache_and_speaks_the_readers_language(cast, morning):
    link = link_of(mail_to(morning, "hiro"))
    with user_scope(cast.kei):
        User.objects.filter(pk=cast.hiro.pk).update(language="ja")
    answer = strangers().get(link, headers={"Accept-Language": "pt-br"})
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Language"] == "ja"
    assert '<html lang="ja"' in answer.content.decode()
    assert translation.get_language() == "en"


def test_somebody_else_who_is_signed_in_pauses_the_readers_mails_not_their_own(cast, morning):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.ben)
    assert client.post(link_of(mail_to(morning, "hiro"))).status_code == 200
    assert pauses(cast) == [("Hiro Mori", "Tokyo")]


def test_a_link_we_did_not_sign_does_not_exist(cast, morning):
    token = link_of(mail_to(morning, "hiro")).split("/")[-2]
    user, site, day, seal = token.split(".")
    forged = ["x", "1.2.3", token[:-1], f"{token}x", f"{user}.{site}.{day}.{'a' * 16}"]
    forged += [f"{cast.ana.pk}.{site}.{day}.{seal}", f"{user}.{cast.rio.pk}.{day}.{seal}"]
    forged += [f"{user}.{site}.{int(day) + 1}.{seal}", f"{'9' * 19}.{site}.{day}.{seal}"]
    named = f"{user}.{site}.{day}"  # a seal of ours, for another purpose
    forged += [f"{named}.{signed.seal(named)}", f"{named}.{signed.seal(f'return {user}')}"]
    for one in forged:
        for ask in (strangers().get, strangers().post):
            with transaction.atomic():  # a page that does not exist rolls back
                assert ask(f"/recall/pause/{one}/").status_code == 404
    assert pauses(cast) == []


def test_after_ninety_days_the_link_says_so_and_pauses_nothing(cast, morning, monkeypatch):
    link = link_of(mail_to(morning, "hiro"))
    made = signed.timezone.now()
    monkeypatch.setattr(signed.timezone, "now", lambda: made + timedelta(days=90))
    assert strangers().get(link).status_code == 200
    monkeypatch.setattr(signed.timezone, "now", lambda: made + timedelta(days=91))
    for ask in (strangers().get, strangers().post):
        answer = ask(link)
        assert answer.status_code == 410
        assert "The link is too old" in answer.content.decode()
    assert pauses(cast) == []


def test_the_link_is_short_and_names_nobody(cast, morning):
    link = link_of(mail_to(morning, "hiro"))
    keys = rf"{cast.hiro.pk}\.{cast.tokyo.pk}\.\d{{6}}"
    assert re.fullmatch(rf"/recall/pause/{keys}\.[a-z2-7]{{16}}/", link)


def test_the_history_says_who_paused(cast, morning, client):
    strangers().post(link_of(mail_to(morning, "hiro")))
    client.force_login(cast.ana)
    client.post(f"/recall/sites/{cast.tokyo.pk}/pause/")
    with user_scope(cast.eli):
        changes = Change.objects.filter(label="recall.mailpause").order_by("pk")
        assert [change.by.name for change in changes] == ["Recall", "Ana Sato"]


# -- looking changes nothing (ux.md rule 62) -----------------------------------------------------


def everything(cast, *but):
    """Every row of every table, sessions and looks of those who signed in aside."""
    sites = Site.objects.values_list("pk", flat=True)
    with scope(User.objects.system("recall"), sites, identity_sites=sites):
        return {
            model._meta.label: sorted(map(str, model.objects.values_list()))
            for model in apps.get_models()
            if model._meta.managed
            and model._meta.label not in but
            # what only the release path reads
            and "SELECT" in getattr(model, "web_grants", "SELECT")
        }


@pytest.mark.parametrize("who", [None, "hiro", "ben", "ines"])
def test_opening_every_address_in_every_mail_twice_changes_no_row(cast, morning, who):
    with user_scope(cast.kei):
        MailStop.objects.create(address="eli@example.org")
    addresses = set()
    for _address, message, _raw in morning.mails:
        for kind in ("plain", "html"):
            text = message.get_body((kind,)).get_content()
            addresses |= set(re.findall(r"http://localhost:8000([^\s\"<>]+)", text))
        addresses.add(link_of(message))
    assert len(addresses) > 3
    client = strangers()
    if who:
        client.force_login(getattr(cast, who))
        client.get("/")
    # Who looked at what is logged, and a session lives on by use: both are about the reader.
    but = ("audit.Look", "sessions.Session") if who else ()
    before = everything(cast, *but)
    assert sum(map(len, before.values())) > 100
    for address in sorted(addresses) * 2:
        assert client.get(address).status_code < 500
        assert client.head(address).status_code < 500
    assert everything(cast, *but) == before


# -- what a pause covers -------------------------------------------------------------------------


def test_a_mail_planned_before_the_pause_is_not_sent(cast, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    by = User.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
    with user_scope(cast.hiro):
        actions.pause(by=cast.hiro, user=cast.hiro, site=cast.tokyo)
    states = sorted(day(cast, 0))
    assert states == [Delivery.State.CANCELLED, Delivery.State.SENT]
    assert sink.addresses == ["ana@example.org"]


def test_escalations_still_come_and_cannot_be_paused(cast, morning):
    strangers().post(link_of(mail_to(morning, "hiro")))
    morning.mails.clear()
    outstanding(cast.ana, opens=-90, closes=-31)
    day(cast, 1)
    assert morning.addresses == ["ana@example.org", "hiro@example.org"]
    escalation = mail_to(morning, "hiro")
    assert escalation["List-Unsubscribe"] is None
    assert "/recall/pause/" not in escalation.as_string()


def test_a_pause_is_of_one_site(cast, morning):
    with user_scope(cast.kei):
        cast.hiro.memberships.create(role="investigator", site=cast.rio)
    strangers().post(link_of(mail_to(morning, "hiro")))
    morning.mails.clear()
    outstanding(cast.ben, opens=-3, closes=60)
    by, now = User.objects.system("recall"), noon(cast.rio)
    actions.plan(by=by, site=cast.rio, now=now)
    send_waiting(cast.rio, now)
    assert morning.addresses == ["ben@example.org", "hiro@example.org"]


def test_who_resumes_gets_what_is_due_from_then_on(cast, morning, client):
    client.force_login(cast.hiro)
    client.post(f"/recall/sites/{cast.tokyo.pk}/pause/")
    outstanding(cast.ana, opens=-3, closes=60)
    day(cast, 1)
    client.post(f"/recall/sites/{cast.tokyo.pk}/resume/")
    outstanding(cast.ana, opens=-3, closes=60)
    morning.mails.clear()
    day(cast, 2)
    assert morning.addresses == ["ana@example.org", "hiro@example.org"]
    client.post(f"/recall/sites/{cast.tokyo.pk}/pause/")
    assert pauses(cast) == [("Hiro Mori", "Tokyo")]


# -- on the recall page --------------------------------------------------------------------------


def test_the_recall_page_pauses_and_resumes_and_says_who_paused(cast, client):
    client.force_login(cast.hiro)
    assert "Pause my daily mails of Tokyo" in client.get("/recall/").content.decode()
    page = client.post(f"/recall/sites/{cast.tokyo.pk}/pause/", follow=True).content.decode()
    assert "Your daily mails of Tokyo are paused." in page
    assert "You have paused your daily mails of Tokyo" in page
    for who, told in (("ana", True), ("eli", True), ("ben", False)):
        client.force_login(getattr(cast, who))
        page = client.get("/recall/").content.decode()
        assert ("Hiro Mori has paused the daily mails of Tokyo" in page) is told
    client.force_login(cast.hiro)
    page = client.post(f"/recall/sites/{cast.tokyo.pk}/resume/", follow=True).content.decode()
    assert "Your daily mails of Tokyo come again." in page
    assert pauses(cast) == []


def test_nobody_ends_the_pause_of_another(cast, client):
    with user_scope(cast.hiro):
        actions.pause(by=cast.hiro, user=cast.hiro, site=cast.tokyo)
    client.force_login(cast.ana)
    client.post(f"/recall/sites/{cast.tokyo.pk}/resume/")
    assert pauses(cast) == [("Hiro Mori", "Tokyo")]


@pytest.mark.parametrize(("who", "status"), [("ben", 404), ("kei", 403), ("gus", 403)])
@pytest.mark.parametrize("what", ["pause", "resume"])
def test_only_who_sees_the_site_does(cast, client, who, status, what):
    client.force_login(getattr(cast, who))
    assert client.post(f"/recall/sites/{cast.tokyo.pk}/{what}/").status_code == status
    assert client.get(f"/recall/sites/{cast.tokyo.pk}/{what}/").status_code in (405, 403)
    assert pauses(cast) == []


def test_the_page_of_recalls_needs_its_token_like_every_form(cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.hiro)
    assert client.post(f"/recall/sites/{cast.tokyo.pk}/pause/").status_code == 403


# -- nobody is left ------------------------------------------------------------------------------


def notices(sink):
    return {a: m for a, m, _raw in sink.mails if "nobody gets the daily mail" in m["Subject"]}


def test_when_the_last_one_pauses_the_investigators_are_told_once(cast, morning):
    strangers().post(link_of(mail_to(morning, "hiro")))
    day(cast, 1)
    assert notices(morning) == {}
    strangers().post(link_of(mail_to(morning, "ana")))
    for _again in range(2):
        day(cast, 1)
    day(cast, 2)
    (address, notice), *more = notices(morning).items()
    assert (address, more) == ("hiro@example.org", [])
    assert len([1 for _a, m, _raw in morning.mails if m["Subject"] == notice["Subject"]]) == 1
    assert notice["Subject"] == "Tokyo: nobody gets the daily mail"
    for kind in ("plain", "html"):
        text = notice.get_body((kind,)).get_content()
        assert "Nobody at Tokyo gets the daily mail about its recalls" in text
        assert "http://localhost:8000/recall/" in text


def test_without_an_investigator_the_data_managers_are_told(cast, morning):
    with user_scope(cast.kei):
        User.objects.filter(pk=cast.hiro.pk).update(is_active=False)
    strangers().post(link_of(mail_to(morning, "ana")))
    day(cast, 1)
    assert set(notices(morning)) == {"ines@example.org"}


def test_two_who_pause_at_the_same_time_are_told_of_too(cast, morning):
    """It follows from who is left, not from who was last."""
    for who in (cast.ana, cast.hiro):
        with user_scope(who):
            MailPause.objects.create(site=cast.tokyo, user=who, by=who)
    day(cast, 1)
    assert set(notices(morning)) == {"hiro@example.org"}


def test_whoever_resumes_in_time_has_nothing_told(cast, morning):
    for who in (cast.ana, cast.hiro):
        with user_scope(who):
            actions.pause(by=who, user=who, site=cast.tokyo)
    by = User.objects.system("recall")
    actions.tell(by=by, site=cast.tokyo, now=noon(cast.tokyo, 1))
    with user_scope(cast.ana):
        actions.resume(by=cast.ana, site=cast.tokyo)
    assert send_waiting(cast.tokyo, noon(cast.tokyo, 1)) == [Delivery.State.CANCELLED]
    assert notices(morning) == {}


def test_a_new_pause_is_told_anew(cast, morning):
    for round_ in range(2):
        for who in (cast.ana, cast.hiro):
            with user_scope(who):
                actions.pause(by=who, user=who, site=cast.tokyo)
        day(cast, 2 * round_ + 1)
        with user_scope(cast.ana):
            actions.resume(by=cast.ana, site=cast.tokyo)
        day(cast, 2 * round_ + 2)
    with user_scope(cast.eli):
        assert Digest.objects.filter(kind="nobody").count() == 2
        assert Recall.objects.filter(label="recall.mailpause").count() == 3


def test_a_pause_is_kept_with_its_times(cast):
    with user_scope(cast.hiro):
        for step in (actions.pause, actions.resume):
            more = {"user": cast.hiro} if step is actions.pause else {}
            step(by=cast.hiro, site=cast.tokyo, **more)
        (kept,) = MailPause.objects.all()
        assert kept.since <= kept.lifted_at <= timezone.now()
