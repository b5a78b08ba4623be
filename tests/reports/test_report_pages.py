"""The report as page and command, over captured records."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from registry.access.models import Membership, Site, User
from registry.access.roles import Role
from registry.access.scope import scope, user_scope
from registry.crfs.models import Ceap
from registry.imaging.models import Reading
from registry.visits.actions import save_draft
from registry.visits.models import FormEntry
from tests import build

URL = "/reports/tokoro/"


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("report", *arguments, stdout=out)
    return out.getvalue()


def graded(cast, by: User, *, arm: str = "cvi", **legs: str) -> None:
    """A participant at the site of ``by`` whose legs Chen graded so at baseline."""
    participant = build.participant(by, arm=arm)
    visit = build.attended(by, participant)
    for limb, calcification in legs.items():
        build.form(by, visit, "ceap", limb)
        xray = build.form(by, visit, "xray", limb)
        present = calcification == "present"
        with user_scope(by):
            Reading.objects.create(
                xray=xray,
                reader=cast.chen,
                read_on=visit.attended_on,
                mode="independent",
                quality="good",
                calcification=calcification,
                pattern="punctate" if present else None,
                zone_distal_medial=calcification,
            )


@pytest.fixture
def captured(cast):
    """Tokyo: two CVI, one calcified; a control. Rio: one CVI, calcified."""
    graded(cast, cast.ana, right="present", left="absent")
    graded(cast, cast.ana, right="absent", left="absent")
    graded(cast, cast.ana, arm="control", right="absent", left="absent")
    graded(cast, cast.ben, right="present", left="present")
    return cast


def test_anonymous_goes_to_the_log_in_and_other_roles_are_refused(client, cast):
    assert client.get(URL).status_code == 302
    for user in (cast.gus, cast.chen, cast.fay, cast.kei, cast.jun):
        client.force_login(user)
        assert client.get(URL).status_code == 403


def test_a_viewer_sees_her_own_site_only(client, captured):
    assert reverse("tokoro_report") == URL
    client.force_login(captured.vera)
    page = client.get(URL)
    assert page.status_code == 200
    assert page.context["report"].cvi.n == 2
    assert page.context["report"].prevalence_cvi.count == 1
    assert page.context["report"].controls.n == 1
    assert "Rio" not in page.content.decode()
    for prefix in ("RIO", "XXX"):
        assert client.get(URL, {"site": prefix}).status_code == 404
    assert client.post(URL).status_code == 405


def test_a_draft_over_a_record_reaches_no_report(client, captured):
    client.force_login(captured.vera)
    before = client.get(URL).context["report"]
    with user_scope(captured.ana):
        for entry in FormEntry.objects.filter(form="ceap", state="complete"):
            raw = {f"ceap-{entry.limb}-clinical": ["C6"]}
            save_draft(by=captured.ana, entry=entry, raw=raw, revision=entry.revision)
        assert FormEntry.objects.filter(draft__isnull=False).count() == 6
    assert client.get(URL).context["report"] == before
    with user_scope(captured.ana):  # the same class as a record does
        Ceap.objects.update(clinical="C6")
    assert client.get(URL).context["report"] != before


def test_a_monitor_sees_all_sites_together_or_one(client, captured):
    client.force_login(captured.eli)
    assert client.get(URL).context["report"].cvi.n == 3
    assert client.get(URL, {"site": "RIO"}).context["report"].cvi.n == 1
    assert client.get(URL, {"site": "XXX"}).status_code == 404
    assert client.get(URL, {"site": ""}).context["report"].cvi.n == 3


def test_a_site_without_films_says_so(client, cast):
    client.force_login(cast.vera)
    assert "No participant has an assessable film" in client.get(URL).content.decode()
    assert "No participant has an assessable film" in printed("tokoro", "--site", "TKY")
    assert json.loads(printed("tokoro", "--site", "TKY", "--json"))["cvi"]["n"] == 0


def test_the_reconstruction_is_never_pooled_with_patients(client, captured):
    with scope(User.objects.system("migration"), []):
        site = Site.objects.create(prefix="TOK", name="Reconstruction", time_zone="Asia/Tokyo")
        Membership.objects.create(user=captured.ben, site=site, role=Role.VIEWER)
    client.force_login(captured.eli)
    assert [one.prefix for one in client.get(URL).context["covered"]] == ["RIO", "TKY"]
    client.force_login(captured.ben)
    assert client.get(URL).context["report"].cvi.n == 1
    assert "Reported alone" in client.get(URL).content.decode()
    assert "no patient data" in client.get(URL, {"site": "TOK"}).content.decode()
    assert "no patient data" not in client.get(URL, {"site": "RIO"}).content.decode()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "There is no report “”."),
        (["lippmann"], "There is no report “lippmann”."),
        (["tokoro", "--site", "XXX"], "There is no site with the prefix XXX."),
        (["tokoro"], "Run load_tokoro first"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(cast, arguments, sentence):
    with pytest.raises(CommandError, match=sentence) as refused:
        printed(*arguments)
    assert "\n" not in str(refused.value)
