"""The page a mail links to: what it told and still stands, also what it only counted."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from registry.access.scope import user_scope
from registry.recall import letter
from registry.recall.models import Digest, SiteTuning
from registry.visits.models import Visit

from .scene import outstanding, recall

NUMBER = r"TKY-\d{4}-\w"


@pytest.fixture
def linked(cast, client, sink):
    """open the page that the newest mail to Ana links to; the numbers on it, in order."""

    def open_it(kind):
        text = next(m for to, m, _raw in reversed(sink.mails) if to == "ana@example.org")
        body = text.get_body(("plain",)).get_content()
        (link,) = re.findall(rf"http://localhost:8000(\S+kind={kind})\b", body)
        client.force_login(cast.ana)
        answer = client.get(link)
        assert answer.status_code == 200
        return re.findall(rf'class="code">({NUMBER})', answer.content.decode())

    return open_it


def counts_only(cast):
    with user_scope(cast.ana):
        SiteTuning.objects.create(site=cast.tokyo, weekdays=list(range(7)), counts_only=True)


def numbers(*visits):
    return [visit.participant.study_number for visit in visits]


def test_what_a_mail_only_counts_stands_behind_its_link(cast, sink, linked):
    """A window that opens in four weeks is on no list of work yet."""
    counts_only(cast)
    soon = outstanding(cast.ana, opens=28, closes=90)
    late, later = (outstanding(cast.ana, opens=-60, closes=closes) for closes in (-9, -22))
    recall(cast.tokyo)
    assert linked("coming_up") == numbers(soon)
    assert linked("overdue") == numbers(later, late)


def test_what_a_long_mail_leaves_out_stands_there_too(cast, sink, linked, monkeypatch):
    monkeypatch.setattr(letter, "LONGEST", 1)
    visits = [outstanding(cast.ana, opens=-60, closes=closes) for closes in (-22, -9)]
    recall(cast.tokyo)
    assert linked("overdue") == numbers(*visits)


def test_what_was_entered_since_is_gone(cast, sink, linked):
    counts_only(cast)
    done, waits = (outstanding(cast.ana, opens=-60, closes=closes) for closes in (-22, -9))
    recall(cast.tokyo)
    with user_scope(cast.ana):
        Visit.objects.filter(pk=done.pk).update(attended_on=cast.tokyo.today - timedelta(days=1))
    assert linked("overdue") == numbers(waits)


def test_what_became_overdue_since_is_still_behind_the_link_of_its_mail(
    cast, sink, linked, monkeypatch
):
    counts_only(cast)
    visit = outstanding(cast.ana, opens=-60, closes=5)
    recall(cast.tokyo)
    later = cast.tokyo.today + timedelta(days=8)
    monkeypatch.setattr(type(cast.tokyo), "today", later)
    assert linked("closing") == numbers(visit)


def test_without_a_group_it_lists_them_all_and_a_coordinator_can_hold_each_back(cast, sink, client):
    late = outstanding(cast.ana, opens=-60, closes=-9)
    open_ = outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    with user_scope(cast.ana):
        digest = Digest.objects.get()
    place = reverse("recall_told", args=[digest.pk])
    client.force_login(cast.ana)
    shown = client.get(place).content.decode()
    assert re.findall(rf'class="code">({NUMBER})', shown) == numbers(late, open_)
    hold = [reverse("recall_snooze", args=["visits.visit", one.pk]) for one in (late, open_)]
    assert all(f'href="{address}"' in shown for address in hold)
    client.force_login(cast.vera)  # who looks on holds nothing back
    seen = client.get(place).content.decode()
    assert not any(address in seen for address in hold)


def test_other_sites_and_other_kinds_of_mail_have_no_such_page(cast, sink, client):
    outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    with user_scope(cast.ana):
        digest = Digest.objects.get()
        other = Digest.objects.create(site=cast.tokyo, day=digest.day, kind="calendar")
    client.force_login(cast.ben)
    assert client.get(reverse("recall_told", args=[digest.pk])).status_code == 404
    client.force_login(cast.ana)
    assert client.get(reverse("recall_told", args=[other.pk])).status_code == 404
