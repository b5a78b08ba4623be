"""A record's history as people read it."""

import pytest
from django.urls import reverse

from registry.access.scope import user_scope
from registry.participants.models import Identity

from .. import build


@pytest.fixture
def record(cast):
    visit = build.attended(cast.ana, build.participant(cast.ana))
    build.form(cast.ana, visit, "vcss", "right", pain=1)
    return build.form(cast.hiro, visit, "vcss", "right", pain=2)


def test_who_changed_what_from_what(client, cast, record):
    client.force_login(cast.vera)
    page = client.get(reverse("history", args=["crfs.vcss", record.pk])).content.decode()
    assert "Pain or discomfort" in page
    assert "<td>1</td>" in page.replace("\n", "").replace(" ", "")
    assert page.index("Hiro Mori") < page.index("Ana Sato")


@pytest.mark.parametrize("label", ["crfs.nothing", "nonsense", "access.user", "audit.change"])
def test_what_is_no_record_is_404(client, cast, label):
    client.force_login(cast.ana)
    assert client.get(reverse("history", args=[label, 1])).status_code == 404


def test_another_sites_history_is_404(client, cast, record):
    client.force_login(cast.ben)
    assert client.get(reverse("history", args=["crfs.vcss", record.pk])).status_code == 404


def test_an_identitys_history_shows_no_value_and_only_to_its_site(client, cast):
    build.participant(cast.ana)
    with user_scope(cast.ana):
        identity = Identity.objects.get()
    url = reverse("history", args=["participants.identity", identity.pk])
    client.force_login(cast.ana)
    page = client.get(url).content.decode()
    assert "Family name" in page
    assert bytes(identity.family_name).hex() not in page
    for who in (cast.vera, cast.eli):
        client.force_login(who)
        assert client.get(url).status_code == 404
