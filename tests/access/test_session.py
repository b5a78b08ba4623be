"""How long one stays signed in: activity by a person extends, polls never do."""

import time

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.urls import reverse

from registry.access import session

from ..people import PASSWORD


@pytest.fixture
def ana(client, cast):
    client.force_login(cast.ana)
    return client


@pytest.fixture
def clock(monkeypatch):
    """A clock of the session's own that the test moves on."""

    class Clock:
        now = time.time()

        def later(self, minutes):
            self.now += minutes * 60

    moved = Clock()
    monkeypatch.setattr(session.time, "time", lambda: moved.now)
    return moved


def seconds(client):
    return client.get(reverse("session"), headers={"Saphena-Active": "0"}).json()["seconds"]


def test_thirty_minutes_and_no_save_on_every_request():
    assert settings.SESSION_COOKIE_AGE == 1800
    assert settings.SESSION_SAVE_EVERY_REQUEST is False


@pytest.mark.parametrize(
    ("headers", "extends"),
    [
        ({}, True),  # somebody opens a page
        ({"Saphena-Active": "1"}, True),
        ({"Saphena-Active": "0"}, False),
        ({"HX-Request": "true"}, False),
        ({"HX-Request": "true", "Saphena-Active": "1"}, True),
        ({"Sec-Purpose": "prefetch"}, False),
    ],
)
def test_what_extends(ana, clock, headers, extends):
    ana.get(reverse("home"))
    stored = Session.objects.get().expire_date
    clock.later(10)
    ana.get(reverse("home"), headers=headers)
    assert seconds(ana) == (1800 if extends else 1200)
    assert (Session.objects.get().expire_date > stored) is extends


def test_activity_is_written_once_a_minute(ana, clock):
    ana.get(reverse("session"))
    stored = Session.objects.get().expire_date
    clock.later(0.5)
    ana.get(reverse("session"), headers={"Saphena-Active": "1"})
    assert Session.objects.get().expire_date == stored


def test_a_poll_reads_how_long_and_never_extends(ana, clock):
    ana.get(reverse("home"))
    for _poll in range(30):
        clock.later(1)
        seconds(ana)
    assert seconds(ana) == 0


@pytest.mark.parametrize("header", ["HX-Request", "Saphena-Active"])
def test_a_script_without_a_session_gets_401_and_a_person_the_log_in(client, db, header):
    for url in (reverse("home"), reverse("visit", args=[1])):
        assert client.get(url, headers={header: "1"}).status_code == 401
        assert client.get(url).status_code == 302
    assert client.get(reverse("session")).status_code == 401


def test_pages_are_kept_nowhere(ana):
    response = ana.get(reverse("home"))
    assert "no-store" in response["Cache-Control"]
    assert 'hx-history="false"' in response.content.decode()


def test_signing_in_by_script_answers_in_words(client, cast):
    """What the dialog over a form posts to: allauth's log-in, with its limits."""

    def post(password):
        data = {"login": cast.ana.email, "password": password}
        headers = {"Accept": "application/json", "X-Requested-With": "XMLHttpRequest"}
        return client.post(reverse("account_login"), data, headers=headers)

    wrong = post("not it")
    assert wrong.status_code == 400
    assert wrong.json()["form"]["errors"]
    assert post(PASSWORD).status_code == 200
    assert client.get(reverse("session")).status_code == 200


def test_the_csrf_cookie_can_be_read_by_the_page(client, db):
    client.get(reverse("account_login"))
    assert not client.cookies["csrftoken"]["httponly"]
