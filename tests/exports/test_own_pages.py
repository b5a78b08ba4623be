"""Asking for a copy of the site's own data, watching it and fetching it, as the cast sees it."""

import hashlib

import pytest
from django.core import signing
from django.urls import reverse

from registry.access.models import Membership, User
from registry.access.roles import Role
from registry.access.scope import scope, user_scope
from registry.audit.models import Look
from registry.exports import actions, copy_views, tasks
from registry.exports.models import SiteCopy

from ..people import PASSWORD


@pytest.fixture(autouse=True)
def nothing_sent(monkeypatch):
    monkeypatch.setattr(tasks.build_site_copy, "delay", lambda *args: None)


def queued(cast, by=None):
    with user_scope(by or cast.hiro):
        return actions.ask_for_copy(by=by or cast.hiro, site=cast.tokyo)


def second_investigator(cast):
    with scope(User.objects.system("migration"), []):
        Membership.objects.create(user=cast.gus, role=Role.INVESTIGATOR, site=cast.tokyo)
    return User.objects.get(pk=cast.gus.pk)


OTHERS = ["ana", "ben", "vera", "eli", "ines", "jun", "fay", "kei", "chen", "gus"]


@pytest.mark.parametrize("who", ["hiro", *OTHERS])
def test_only_an_investigator_may(cast, shown, who):
    copy = queued(cast)
    someone = getattr(cast, who)
    status = 200 if who == "hiro" else 403
    assert shown(someone, "site_copies", "TKY").status_code == status
    assert shown(someone, "site_copy", "TKY", copy.pk).status_code == status
    asked = shown(someone, "site_copies", "TKY", data={"password": PASSWORD})
    assert asked.status_code == (422 if who == "hiro" else 403)  # one at a time
    with user_scope(cast.hiro):
        assert SiteCopy.objects.count() == 1


def test_another_site_is_not_found(cast, shown):
    assert shown(cast.hiro, "site_copies", "RIO").status_code == 404
    assert shown(cast.hiro, "site_copies", "RIO", data={"password": PASSWORD}).status_code == 404
    copy = queued(cast)
    assert shown(cast.hiro, "site_copy", "RIO", copy.pk).status_code == 404
    assert shown(cast.hiro, "own_data").url == reverse("site_copies", args=["TKY"])


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper()])
def test_a_wrong_password_asks_for_nothing(cast, shown, password):
    got = shown(cast.hiro, "site_copies", "TKY", data={"password": password})
    assert got.status_code == 422
    assert "This is not your password. Nothing was asked for." in got.content.decode()
    with user_scope(cast.hiro):
        assert not SiteCopy.objects.exists()


def test_tries_are_limited(cast, shown):
    said = [
        shown(cast.hiro, "site_copies", "TKY", data={"password": "wrong"}).content.decode()
        for _ in range(12)
    ]
    assert "Too many tries" in said[-1]
    last = shown(cast.hiro, "site_copies", "TKY", data={"password": PASSWORD})
    assert "Too many tries" in last.content.decode()


def test_progress_is_of_real_rows(cast, shown):
    copy = queued(cast)
    with user_scope(cast.hiro):
        SiteCopy.objects.filter(pk=copy.pk).update(
            state="building", stage="ceap", rows_done=1200, rows_expected=5000
        )
    got = shown(cast.hiro, "site_copy", "TKY", copy.pk, headers={"HX-Request": "true"})
    page = got.content.decode()
    assert "<html" not in page
    for said in ('max="5000"', 'value="1200"', "ceap", 'hx-trigger="every 2s"'):
        assert said in page


def test_a_failed_copy_says_why(cast, shown):
    copy = queued(cast)
    actions.copying._fail(copy, "ceap: 3 of 4 rows were delivered.")
    page = shown(cast.hiro, "site_copy", "TKY", copy.pk).content.decode()
    assert "3 of 4 rows" in page
    assert "hx-trigger" not in page
    assert reverse("site_copies", args=["TKY"]) in page


def test_anothers_copy_is_listed_and_not_found(cast, shown):
    copy = queued(cast)
    gus = second_investigator(cast)
    listed = shown(gus, "site_copies", "TKY").content.decode()
    assert "Hiro Mori" in listed
    assert reverse("site_copy", args=["TKY", copy.pk]) not in listed
    assert shown(gus, "site_copy", "TKY", copy.pk).status_code == 404
    token = signing.dumps([copy.pk, gus.pk], salt=copy_views.SALT)
    assert shown(gus, "download_copy", "TKY", copy.pk, token).status_code == 404


def test_from_asking_to_download(cohort, shown, client):
    with user_scope(cohort.hiro):  # whose password was kept by another hasher
        cohort.hiro.set_password(PASSWORD)
        cohort.hiro.save()
    asked = shown(cohort.hiro, "site_copies", "TKY", data={"password": PASSWORD})
    with user_scope(cohort.hiro):
        copy = SiteCopy.objects.get()
    assert asked.url == reverse("site_copy", args=["TKY", copy.pk])
    waiting = shown(cohort.hiro, "site_copy", "TKY", copy.pk).content.decode()
    assert 'hx-trigger="every 2s"' in waiting
    tasks.build_site_copy(cohort.tokyo.pk, copy.pk)
    with user_scope(cohort.hiro):
        copy.refresh_from_db()
    ready = shown(cohort.hiro, "site_copy", "TKY", copy.pk).content.decode()
    assert "hx-trigger" not in ready
    assert copy.sha256 in ready
    address = f"/own-data/TKY/{copy.pk}/"
    link = ready.partition(f'href="{address}')[2].partition('"')[0]
    for _ in range(2):
        got = client.get(f"{address}{link}")
        data = b"".join(got.streaming_content)
        assert hashlib.sha256(data).hexdigest() == copy.sha256
        assert got["Content-Length"] == str(len(data))
    assert got["Content-Disposition"] == f'attachment; filename="saphena-site-copy-{copy.pk}.zip"'
    with user_scope(cohort.hiro):
        assert Look.objects.filter(label="exports.sitecopy", what="download").count() == 2
    assert shown(cohort.hiro, "site_copy", "TKY", copy.pk).content.decode().count("<li>Hiro") == 2


def test_the_link_is_of_one_person_and_expires(cohort, shown, client, monkeypatch):
    copy = queued(cohort)
    tasks.build_site_copy(cohort.tokyo.pk, copy.pk)

    def fetch(who, signed):
        return shown(who, "download_copy", "TKY", copy.pk, signed)

    good = signing.dumps([copy.pk, cohort.hiro.pk], salt=copy_views.SALT)
    assert fetch(cohort.ana, good).status_code == 403
    gus = second_investigator(cohort)
    assert fetch(gus, good).status_code == 404
    for bad in ("x", good[:-1], signing.dumps([copy.pk, cohort.hiro.pk], salt="other")):
        assert fetch(cohort.hiro, bad).status_code == 404
    of_another = signing.dumps([copy.pk + 1, cohort.hiro.pk], salt=copy_views.SALT)
    assert fetch(cohort.hiro, of_another).status_code == 404
    assert fetch(cohort.hiro, good).status_code == 200
    monkeypatch.setattr(copy_views, "LINK_LASTS", -1)
    assert fetch(cohort.hiro, good).url == reverse("site_copy", args=["TKY", copy.pk])
    client.logout()
    assert client.get(reverse("download_copy", args=["TKY", copy.pk, good])).status_code == 302
