"""A record's history as people read it."""

import re

import pytest
from django.urls import reverse

from registry.access.models import Membership
from registry.access.roles import Role
from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.imaging.models import Reading
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
    assert "<td>occasional, restricting nothing</td>" in page
    assert page.index("Hiro Mori") < page.index("Ana Sato")


def test_values_stand_in_words_and_absences_beside_them(client, cast):
    visit = build.attended(cast.ana, build.participant(cast.ana))
    build.form(cast.ana, visit, "ceap", "right", clinical="C2r", symptomatic=False)
    taken_back = {"symptomatic": None, "clinical": "C4b"}
    record = build.form(
        cast.ana, visit, "ceap", "right", absent={"symptomatic": "refused"}, **taken_back
    )
    client.force_login(cast.ana)
    page = client.get(reverse("history", args=["crfs.ceap", record.pk])).content.decode()
    lines = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall("<tr>.*?</tr>", page, re.S)]
    assert ["C2r recurrent varicose veins", "C4b lipodermatosclerosis or atrophie blanche"] in [
        line[2:4] for line in lines
    ]
    assert ["Symptomatic", "no", "refused"] in [line[1:4] for line in lines]
    assert ["Anatomy", "As superficial, GSVa"] in [[line[1], line[3]] for line in lines if line]


@pytest.mark.slow
def test_every_record_of_a_whole_participant_has_a_history_that_opens(client, cast):
    participant = build.participant(cast.ana)
    visit = build.attended(cast.ana, participant)
    build.form(cast.ana, visit, "ceap", "right")
    client.force_login(cast.ana)
    with user_scope(cast.ana):
        changes = Change.objects.exclude(site=None).exclude(label__startswith="access.")
        records = set(changes.values_list("label", "key"))
    assert {"visits.visit", "participants.screening", "crfs.ceap"} <= {one for one, _ in records}
    for label, key in records:
        assert client.get(reverse("history", args=[label, key])).status_code == 200, label


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


def test_a_readings_history_is_the_data_managers(client, cast):
    """It names who read, and shows a reader with a role at the site what another one saw."""
    visit = build.attended(cast.ana, build.participant(cast.ana))
    xray = build.form(cast.ana, visit, "xray", "right")
    with user_scope(cast.ana):
        reading = Reading.objects.create(
            xray=xray,
            reader=cast.dora,
            read_on=visit.attended_on,
            mode="independent",
            quality="good",
            calcification="absent",
        )
    url = reverse("history", args=["imaging.reading", reading.pk])
    with user_scope(cast.kei):
        Membership.objects.create(user=cast.chen, site=cast.tokyo, role=Role.VIEWER)
    for who, status in ((cast.ana, 404), (cast.chen, 404), (cast.eli, 404), (cast.ines, 200)):
        client.force_login(who)
        assert client.get(url).status_code == status, who
