"""Home, the worklist and health: counts that are the lists, and each role's own start."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from registry.access.scope import user_scope
from registry.desk import health
from registry.participants.actions import withdraw_consent
from registry.visits.actions import save_draft

from .. import build


def count_of(page, words):
    """The number beside a card's heading."""
    card = next(part for part in page.split('<section class="card">') if words in part[:600])
    return int(re.search(r'class="count">(\d+)', card)[1])


@pytest.fixture
def cohort(cast):
    """Tokyo: one participant whose visits are overdue, one due, one draft; Rio: one overdue."""
    today = cast.tokyo.today
    overdue = build.participant(cast.ana, enrolled_on=today - timedelta(days=60))
    due = build.participant(cast.ana, enrolled_on=today - timedelta(days=3))
    build.participant(cast.ben, enrolled_on=today - timedelta(days=60))
    visit = build.attended(cast.ana, build.participant(cast.ana, enrolled_on=today))
    with user_scope(cast.ana):
        entry = visit.entries.get(form="laboratory")
        save_draft(by=cast.ana, entry=entry, raw={}, revision=0)
    return overdue, due


def test_the_counts_are_those_of_the_users_own_sites(client, cast, cohort):
    client.force_login(cast.ana)
    page = client.get(reverse("home")).content.decode()
    assert [count_of(page, word) for word in ("Overdue", "Due", "In progress")] == [1, 1, 1]
    assert "RIO-" not in page
    client.force_login(cast.eli)
    assert count_of(client.get(reverse("home")).content.decode(), "Overdue") == 2


def test_each_count_is_the_length_of_its_list(client, cast, cohort):
    overdue, due = cohort
    client.force_login(cast.ana)
    for status, subject in (("overdue", overdue), ("due", due)):
        page = client.get(reverse("worklist"), {"status": status}).content.decode()
        assert re.findall(r"TKY-\d{4}-\w(?=</a>)", page) == [subject.study_number]


@pytest.mark.parametrize("scope", ["stop_collection", "erase_identity"])
def test_who_withdrew_needs_nobody(client, cast, cohort, scope):
    with user_scope(cast.ana):
        withdraw_consent(by=cast.ana, participant=cohort[0], on=cast.tokyo.today, scope=scope)
    client.force_login(cast.ana)
    assert count_of(client.get(reverse("home")).content.decode(), "Overdue") == 0


@pytest.mark.parametrize(
    ("who", "place"),
    [("chen", "readings"), ("fay", "datasets"), ("jun", "datasets"), ("kei", "users")],
)
def test_other_roles_start_elsewhere(client, cast, who, place):
    client.force_login(getattr(cast, who))
    assert client.get(reverse("home"))["Location"] == reverse(place)


def test_somebody_without_a_role_is_told_so(client, cast):
    client.force_login(cast.gus)
    assert "no role yet" in client.get(reverse("home")).content.decode()


def test_the_number_of_queries_of_home_is_constant(
    client, cast, cohort, django_assert_max_num_queries
):
    client.force_login(cast.ana)
    with django_assert_max_num_queries(60) as first:
        client.get(reverse("home"))
    for _more in range(3):
        build.participant(cast.ana, enrolled_on=cast.tokyo.today - timedelta(days=60))
    with django_assert_max_num_queries(len(first)):
        client.get(reverse("home"))


def test_health_names_what_is_down(client, db, monkeypatch):
    def broken():
        raise OSError

    parts = {"database": lambda: True, "broker": lambda: True, "worker": lambda: False}
    monkeypatch.setattr(health, "PARTS", parts)
    answer = client.get("/health/")
    assert (answer.status_code, answer.content.decode()) == (
        503,
        "database: up\nbroker: up\nworker: DOWN\n",
    )
    monkeypatch.setattr(health, "PARTS", parts | {"worker": lambda: True})
    assert client.get("/health/").status_code == 200
    monkeypatch.setattr(health, "PARTS", parts | {"worker": broken})
    assert client.get("/health/").status_code == 503


def test_health_asks_the_real_services(client, db, settings):
    lines = client.get("/health/").content.decode().splitlines()
    assert lines[:2] == ["database: up", "broker: up"]
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health/")
    assert answer.status_code == 503
    assert "broker: DOWN" in answer.content.decode()
