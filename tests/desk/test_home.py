"""Home and health: counts that are the lists, and each role's own start."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from html import unescape
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import timezone

from registry.access.days import SiteDays
from registry.access.scope import user_scope
from registry.desk import health
from registry.participants.actions import withdraw_consent
from registry.quality.models import DataQuery
from registry.visits import rules
from registry.visits.actions import save_draft
from registry.visits.models import FormEntry, Visit
from registry.visits.rules import Facts, Status

from .. import build
from ..imaging import films


def text(answer):
    return answer.content.decode()


def counts(page):
    """Group → (the number beside its heading, the address of its whole list)."""
    found = {}
    for card in page.split('<section class="card work ')[1:]:
        group = card.partition('"')[0]
        whole = re.search(r'class="whole"><a href="([^"]+)"', card)
        number = int(re.search(r'class="count">(?:<span.*?</span>)?(\d+)', card)[1])
        found[group] = (number, unescape(whole[1]) if whole else "")
    return found


def rows_of(client, address):
    """How many rows a list has, over all its pages."""
    page = text(client.get(address))
    rows = page.partition("<tbody>")[2].partition("</tbody>")[0].count("<tr")
    following = re.search(r'<a href="([^"]+)">Next</a>', page)
    if not following:
        return rows
    return rows + rows_of(client, address.partition("?")[0] + unescape(following[1]))


@pytest.fixture
def cohort(cast):
    """Tokyo: one visit overdue, one due, one opening, one draft, one question; Rio: one overdue."""
    today = cast.tokyo.today
    overdue = build.participant(cast.ana, enrolled_on=today - timedelta(days=60))
    due = build.participant(cast.ana, enrolled_on=today - timedelta(days=3))
    soon = build.participant(cast.ana, enrolled_on=today - timedelta(days=66))
    build.attended(cast.ana, soon)
    build.participant(cast.ben, enrolled_on=today - timedelta(days=60))
    visit = build.attended(cast.ana, build.participant(cast.ana, enrolled_on=today))
    with user_scope(cast.ana):
        entry = visit.entries.get(form="laboratory")
        save_draft(by=cast.ana, entry=entry, raw={}, revision=0)
    xray = build.form(cast.ana, visit, "xray", "right")
    films.film(cast.ana, xray)
    return SimpleNamespace(overdue=overdue, due=due, soon=soon, visit=visit, entry=entry)


@pytest.fixture
def question(cast, cohort):
    build.form(
        cast.ana, build.attended(cast.ana, cohort.due), "laboratory", calcium_total=Decimal("4.5")
    )


WORK = {"overdue": 1, "due": 1, "coming": 1, "drafts": 1, "films": 1}


def test_the_counts_are_those_of_the_users_own_sites(client, cast, cohort):
    client.force_login(cast.ana)
    page = text(client.get(reverse("home")))
    assert {group: number for group, (number, _url) in counts(page).items()} == WORK | {
        "to_answer": 0
    }
    assert "RIO-" not in page
    client.force_login(cast.eli)
    assert counts(text(client.get(reverse("home"))))["overdue"][0] == 2


@pytest.mark.parametrize("who", ["ana", "hiro", "vera", "eli", "ines"])
def test_each_count_is_the_length_of_the_list_it_links_to(
    client, cast, cohort, question, who, monkeypatch
):
    for _more in range(3):
        build.participant(cast.ana, enrolled_on=cast.tokyo.today - timedelta(days=60))
    monkeypatch.setattr("registry.core.pages.PAGE", 2)
    client.force_login(getattr(cast, who))
    found = counts(text(client.get(reverse("home"))))
    assert found["overdue"][0] == (5 if who in ("eli", "ines") else 4)
    for number, address in found.values():
        assert bool(number) is bool(address)
        if address:
            assert rows_of(client, address) == number


def test_a_long_list_ends_where_its_count_does_and_both_say_so(client, cast, cohort, monkeypatch):
    monkeypatch.setattr("registry.core.pages.LONGEST", 2)
    for _more in range(2):
        build.participant(cast.ana, enrolled_on=cast.tokyo.today - timedelta(days=60))
    client.force_login(cast.ana)
    page = text(client.get(reverse("home")))
    number, address = counts(page)["overdue"]
    assert (number, rows_of(client, address)) == (2, 2)
    assert "more than </span>2" in page
    assert "More than 2 rows" in text(client.get(address))


def test_each_row_of_home_goes_to_the_very_place(client, cast, cohort, question):
    client.force_login(cast.ana)
    page = text(client.get(reverse("home")))
    with user_scope(cast.ana):
        baseline = cohort.overdue.visits.get(code="BL")
        third = cohort.soon.visits.get(code="M03")
        query = DataQuery.objects.get()
    for address in (
        reverse("visit", args=[baseline.pk]),
        reverse("visit", args=[third.pk]),
        f"{reverse('visit', args=[cohort.visit.pk])}#form-laboratory",
        reverse("films", args=[cohort.visit.pk, "right"]),
        reverse("query", args=[query.pk]),
    ):
        assert f'href="{address}"' in page


def test_a_draft_is_marked_after_two_days(client, cast, cohort):
    client.force_login(cast.ana)
    lists = (reverse("home"), reverse("work_drafts"))
    assert ["older than 2 days" in text(client.get(page)) for page in lists] == [False, False]
    with user_scope(cast.ana):
        old = timezone.now() - timedelta(days=2, minutes=1)
        FormEntry.objects.filter(pk=cohort.entry.pk).update(draft_at=old)
    assert ["older than 2 days" in text(client.get(page)) for page in lists] == [True, True]


@pytest.mark.parametrize("moment", ["2026-03-14T20:00Z", "2026-03-15T01:00Z", "2026-03-15T20:00Z"])
def test_each_visit_is_judged_by_its_own_sites_day(client, cast, moment, monkeypatch):
    """Tokyo's 15 March begins while it is still the 14th in Rio: whoever looks, sees that."""
    monkeypatch.setattr(timezone, "now", lambda: datetime.fromisoformat(moment))
    last = date(2026, 3, 14)
    wanted = set()
    for by in (cast.ana, cast.ben):
        subject = build.participant(by, enrolled_on=last - timedelta(days=14))
        with user_scope(by):
            visit = subject.visits.get(code="BL")
            status = rules.status(Facts(visit.opens_on, visit.closes_on), subject.site.today)
        if status == Status.OVERDUE:
            wanted.add(subject.study_number)
    client.force_login(cast.eli)
    page = text(client.get(reverse("work_overdue")))
    assert set(re.findall(r"\w{3}-\d{4}-\w(?=</a>)", page)) == wanted
    with user_scope(cast.eli):
        days = SiteDays([cast.tokyo.pk, cast.rio.pk])
        found = Visit.objects.filter(code="BL").with_status(days.after())
        overdue = {visit.participant.study_number for visit in found if visit.status == "overdue"}
    assert overdue == wanted


@pytest.mark.parametrize("scope", ["stop_collection", "erase_identity"])
def test_who_withdrew_needs_nobody(client, cast, cohort, scope):
    with user_scope(cast.ana):
        withdraw_consent(by=cast.ana, participant=cohort.overdue, on=cast.tokyo.today, scope=scope)
    client.force_login(cast.ana)
    assert counts(text(client.get(reverse("home"))))["overdue"][0] == 0


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
