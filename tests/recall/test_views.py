"""The pages: what was planned and sent, and each mail as it went."""

import pytest
from django.urls import reverse

from registry.access.models import User
from registry.access.scope import user_scope
from registry.recall import actions
from registry.recall.models import Delivery, SiteTuning

from .scene import noon, outstanding, recall

ALLOWED = ["ana", "hiro", "vera", "eli", "ines"]
REFUSED = ["chen", "fay", "jun", "kei", "gus"]


@pytest.fixture
def delivery(cast, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    recall(cast.tokyo, days=1)
    with user_scope(cast.ana):
        return Delivery.objects.get(recipient=cast.ana)


def pages(delivery):
    return [
        reverse("recalls"),
        reverse("recall", args=[delivery.pk]),
        reverse("recall_html", args=[delivery.pk]),
    ]


def test_who_sees_the_sites_records_sees_its_recalls_and_nobody_else(cast, client, delivery):
    assert [client.get(page).status_code for page in pages(delivery)] == [302, 302, 302]
    answers = {}
    for who in (*ALLOWED, *REFUSED):
        client.force_login(getattr(cast, who))
        answers[who] = {client.get(page).status_code for page in pages(delivery)}
    expected = {who: {200} for who in ALLOWED} | {who: {403} for who in REFUSED}
    assert answers == expected


def test_another_sites_recalls_do_not_exist(cast, client, delivery):
    client.force_login(cast.ben)
    assert [client.get(page).status_code for page in pages(delivery)] == [200, 404, 404]
    assert delivery.subject not in client.get(reverse("recalls")).content.decode()


def test_pages_only_read(cast, client, delivery):
    client.force_login(cast.ana)
    assert [client.post(page).status_code for page in pages(delivery)] == [405, 405, 405]


def test_the_list_shows_each_day_with_each_mails_outcome(cast, client, delivery):
    client.force_login(cast.ana)
    page = client.get(reverse("recalls")).content.decode()
    assert page.count("Tokyo: 1 recall") == 2
    assert "Ana Sato" in page
    assert "Hiro Mori" in page
    assert "Nothing was due: no mail." in page
    assert page.count('class="state sent"') == 2


def test_a_failure_is_shown_with_its_reason(cast, client, sink):
    outstanding(cast.ana, opens=-3, closes=60)
    sink.answers = {"ana@example.org": "550 no such mailbox", "hiro@example.org": "451 later"}
    recall(cast.tokyo)
    client.force_login(cast.eli)
    page = client.get(reverse("recalls")).content.decode()
    assert "550 no such mailbox" in page
    assert "after 1 attempt; next one" in page


def test_a_site_without_a_recipient_is_shown(cast, client, sink):
    outstanding(cast.ben, opens=-3, closes=60)
    with user_scope(cast.kei):
        type(cast.ben).objects.filter(pk=cast.ben.pk).update(is_active=False)
    recall(cast.rio)
    client.force_login(cast.eli)
    assert "no active coordinator" in client.get(reverse("recalls")).content.decode()


def test_before_the_first_day_the_page_says_when_it_comes(cast, client):
    client.force_login(cast.ana)
    assert "No day has been planned yet" in client.get(reverse("recalls")).content.decode()


def test_a_wrong_page_number_shows_a_page(cast, client):
    client.force_login(cast.ana)
    for number in ("0", "-1", "99", "x", "1e9"):
        assert client.get(reverse("recalls"), {"page": number}).status_code == 200


def test_the_mail_is_shown_as_it_went_in_a_frame_that_can_do_nothing(cast, client, delivery):
    client.force_login(cast.ana)
    page = client.get(reverse("recall", args=[delivery.pk]))
    assert delivery.text.split("\n")[0] in page.content.decode()
    assert f'sandbox src="{reverse("recall_html", args=[delivery.pk])}"' in page.content.decode()
    framed = client.get(reverse("recall_html", args=[delivery.pk]))
    assert framed.content.decode() == delivery.html
    policy = framed.headers["Content-Security-Policy"]
    assert policy.split("; ") == [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "frame-ancestors 'self'",
        "sandbox",
    ]
    assert framed.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]


def test_the_mail_is_marked_with_the_language_in_which_it_went(cast, client, sink):
    """The site's, whatever language its reader has."""
    with user_scope(cast.ana):
        SiteTuning.objects.create(site=cast.tokyo, weekdays=list(range(7)), language="ja")
    outstanding(cast.ana, opens=-3, closes=60)
    recall(cast.tokyo)
    with user_scope(cast.ana):
        delivery = Delivery.objects.get(recipient=cast.ana)
    client.force_login(cast.ana)
    page = client.get(reverse("recall", args=[delivery.pk])).content.decode()
    assert page.count('lang="ja" translate="no"') == 2


def test_a_mail_not_yet_written_has_no_html(cast, client):
    outstanding(cast.ana, opens=-3, closes=60)
    by = User.objects.system("recall")
    actions.plan(by=by, site=cast.tokyo, now=noon(cast.tokyo))
    key = actions.unfinished(by=by, site=cast.tokyo)[0]
    client.force_login(cast.ana)
    assert client.get(reverse("recall_html", args=[key])).status_code == 404
    assert "when it is sent" in client.get(reverse("recall", args=[key])).content.decode()
