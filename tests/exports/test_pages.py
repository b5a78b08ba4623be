"""Asking, deciding, watching and downloading, as the cast sees it."""

import hashlib
import io
import re
import zipfile

import pytest
from django.core import signing
from django.core.files.storage import default_storage
from django.urls import reverse

from registry.access.models import Membership, User
from registry.access.roles import Role
from registry.access.scope import scope
from registry.exports import actions, tasks, views
from registry.exports.actions import ExportError, building
from registry.exports.models import Dataset, DatasetRequest, Download

from .. import build
from .conftest import ENROLLED, FORMS

ASKED = {
    "title": "Calcium and ulcers",
    "purpose": "Does calcium slow healing?",
    "profile": "safe_harbor",
    "formats": ["csv", "parquet"],
    "forms": FORMS,
    "arms": ["cvi"],
}


def add_role(user, role):
    with scope(User.objects.system("migration"), []):
        Membership.objects.create(user=user, role=role)


def test_from_request_to_download(cohort, shown, client):
    sent = shown(cohort.fay, "new_dataset", data=ASKED)
    asked = DatasetRequest.objects.get()
    assert sent.url == reverse("dataset_request", args=[asked.pk])
    assert "Calcium and ulcers" in shown(cohort.jun, "datasets").content.decode()
    assert (
        shown(cohort.jun, "dataset_request", asked.pk, data={"decision": "approve"}).status_code
        == 302
    )
    asked.refresh_from_db()
    assert (asked.state, asked.decided_by) == ("approved", cohort.jun)
    dataset = Dataset.objects.get()
    waiting = shown(cohort.fay, "dataset", dataset.pk).content.decode()
    assert 'hx-trigger="every 2s"' in waiting
    tasks.build_dataset(dataset.pk)
    dataset.refresh_from_db()
    ready = shown(cohort.fay, "dataset", dataset.pk).content.decode()
    assert "hx-trigger" not in ready
    for said in (
        dataset.sha256,
        "csv/participants.csv.gz",
        " UTC</dd>",
        "0 participants, left out",
    ):
        assert said in ready
    link = ready.partition(f'href="/datasets/{dataset.pk}/')[2].partition('"')[0]
    got = client.get(f"/datasets/{dataset.pk}/{link}")
    data = b"".join(got.streaming_content)
    assert hashlib.sha256(data).hexdigest() == dataset.sha256
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    assert "attachment" in got["Content-Disposition"]
    assert [(d.dataset_id, d.user_id) for d in Download.objects.all()] == [
        (dataset.pk, cohort.fay.pk)
    ]
    assert "Fay Okafor" in shown(cohort.jun, "dataset", dataset.pk).content.decode()


def test_the_fragment_is_the_progress_alone(cohort, order, shown):
    dataset = order()
    Dataset.objects.filter(pk=dataset.pk).update(
        state="building", stage="ceap", rows_done=1200, rows_expected=5000
    )
    got = shown(cohort.fay, "dataset", dataset.pk, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in got
    assert 'max="5000"' in got
    assert 'value="1200"' in got
    assert "writing “CEAP”" in got
    assert "Cancel the build" in got


def test_a_failed_build_says_why_and_can_be_built_again(cohort, order, shown):
    dataset = order()
    building._fail(dataset, "ceap: 3 of 4 rows were delivered.")
    got = shown(cohort.fay, "dataset", dataset.pk).content.decode()
    assert "3 of 4 rows" in got
    assert "hx-trigger" not in got
    again = shown(cohort.fay, "build_dataset_again", dataset.pk, data={})
    new = Dataset.objects.exclude(pk=dataset.pk).get()
    assert again.url == reverse("dataset", args=[new.pk])
    assert shown(cohort.fay, "build_dataset_again", dataset.pk, data={}).status_code == 409


def test_a_build_is_cancelled_on_its_page(cohort, order, shown):
    dataset = order()
    sent = shown(cohort.fay, "cancel_dataset", dataset.pk, data={})
    assert sent.url == reverse("dataset", args=[dataset.pk])
    got = shown(cohort.jun, "dataset", dataset.pk).content.decode()
    assert "Fay Okafor cancelled the build." in got
    assert "hx-trigger" not in got
    assert shown(cohort.fay, "cancel_dataset", dataset.pk, data={}).status_code == 409


def test_a_choice_refused_is_shown_at_its_item_in_the_preview_too(cohort, shown):
    wrong = ASKED | {"sites": [cohort.tokyo.pk], "enrolled_from": "2024-07-01"}
    for sent in (wrong, wrong | {"preview": "1"}):
        got = shown(cohort.fay, "new_dataset", data=sent)
        assert (got.status_code, list(got.context["form"].errors)) == (422, ["sites"])
    assert "Tokyo" in got.content.decode()
    kept = wrong | {"profile": "limited", "enrolled_from": "2024-01-01"}
    sent = shown(cohort.fay, "new_dataset", data=kept)
    got = shown(cohort.jun, "dataset_request", DatasetRequest.objects.get().pk).content.decode()
    for said in ("Tokyo", "from January 2024", "Left out: not at the chosen sites"):
        assert said in got


def test_the_preview_shows_columns_reasons_and_no_small_counts(cohort, shown):
    for _ in range(6):
        build.participant(cohort.ana, enrolled_on=ENROLLED)
    build.participant(cohort.ana, enrolled_on=ENROLLED, consent={"allows_sharing": False})
    got = shown(cohort.fay, "new_dataset", data=ASKED | {"preview": "1"}).content.decode()
    assert "participant_age_at_enrolment" in got
    numbers = [cell.strip() for cell in re.findall(r'<td class="number">([^<]*)</td>', got)]
    assert numbers[:4] == ["10", "fewer than 8", "fewer than 8", "fewer than 8"]
    assert DatasetRequest.objects.count() == 0
    other = shown(
        cohort.fay, "new_dataset", data=ASKED | {"preview": "1", "profile": "limited"}
    ).content.decode()
    assert "participant_site" in other
    assert "participant_site" not in got


def test_a_preview_equals_the_dataset(cohort, built, shown):
    for _ in range(6):
        build.participant(cohort.ana, enrolled_on=ENROLLED)
    got = shown(cohort.fay, "new_dataset", data=ASKED | {"preview": "1"})
    delivered = built().manifest["tables"][0]["delivered"]
    assert (delivered, got.context["numbers"].included) == (9, 10)


def test_a_bad_request_is_shown_again_with_what_was_typed(cohort, shown):
    for wrong, message in (
        ({"title": ""}, "Title of the project: still to be answered"),
        ({"purpose": " "}, "Purpose: still to be answered"),
        ({"profile": "everything"}, "Select a valid choice"),
        ({"forms": ["identity"]}, "Select a valid choice"),
        ({"arms": []}, "Arms: still to be answered"),
        ({"arms": ["control"]}, "there is nothing to ask for"),
    ):
        got = shown(cohort.fay, "new_dataset", data=ASKED | wrong)
        assert got.status_code == 422
        assert message in got.content.decode()
        assert "title" in wrong or "Calcium and ulcers" in got.content.decode()
    assert DatasetRequest.objects.count() == 0


def test_a_return_needs_a_reason_and_is_shown(cohort, shown):
    shown(cohort.fay, "new_dataset", data=ASKED)
    asked = DatasetRequest.objects.get()
    refused = shown(
        cohort.jun, "dataset_request", asked.pk, data={"decision": "return", "reason": " "}
    )
    assert refused.status_code == 422
    shown(
        cohort.jun, "dataset_request", asked.pk, data={"decision": "return", "reason": "Why men?"}
    )
    assert "Why men?" in shown(cohort.fay, "dataset_request", asked.pk).content.decode()
    assert Dataset.objects.count() == 0
    late = shown(cohort.jun, "dataset_request", asked.pk, data={"decision": "approve"})
    assert late.status_code == 422


def test_nobody_decides_on_his_own_request(cohort, shown):
    add_role(cohort.jun, Role.RESEARCHER)
    shown(cohort.jun, "new_dataset", data=ASKED)
    asked = DatasetRequest.objects.get()
    got = shown(cohort.jun, "dataset_request", asked.pk, data={"decision": "approve"})
    assert got.status_code == 422
    assert "another steward" in got.content.decode()
    assert "Approve and build" not in got.content.decode()
    with pytest.raises(Exception, match="dataset_request_not_ones_own"):
        DatasetRequest.objects.update(state="approved", decided_by=cohort.jun)


def test_a_researcher_does_not_decide(cohort, shown):
    shown(cohort.fay, "new_dataset", data=ASKED)
    asked = DatasetRequest.objects.get()
    got = shown(cohort.fay, "dataset_request", asked.pk, data={"decision": "approve"})
    assert got.status_code == 403
    with pytest.raises(ExportError, match="data steward"):
        actions.approve_request(by=cohort.fay, request=asked)


def test_others_have_no_business_here(cohort, built, shown):
    dataset = built().dataset
    for who in ("ana", "hiro", "vera", "chen", "eli", "ines", "kei", "gus"):
        for name, args in (
            ("datasets", []),
            ("new_dataset", []),
            ("dataset_request", [dataset.request_id]),
            ("dataset", [dataset.pk]),
            ("download_dataset", [dataset.pk, "x"]),
        ):
            assert shown(getattr(cohort, who), name, *args).status_code == 403


def test_another_researchers_dataset_does_not_exist(cohort, built, shown, client):
    dataset = built().dataset
    gus = cohort.gus
    add_role(gus, Role.RESEARCHER)
    token = signing.dumps([dataset.pk, cohort.fay.pk], salt=views.SALT)
    own = signing.dumps([dataset.pk, gus.pk], salt=views.SALT)
    for name, args in (
        ("dataset_request", [dataset.request_id]),
        ("dataset", [dataset.pk]),
        ("download_dataset", [dataset.pk, token]),
        ("download_dataset", [dataset.pk, own]),
    ):
        assert shown(gus, name, *args).status_code == 404
    assert shown(gus, "build_dataset_again", dataset.pk, data={}).status_code == 404
    assert "Calcium" not in shown(gus, "datasets").content.decode()
    assert client.get(f"/datasets/new/?project={dataset.request.project_id}").status_code == 404


def test_a_link_is_for_one_person_one_dataset_and_a_day(cohort, built, shown, monkeypatch):
    dataset = built().dataset
    good = signing.dumps([dataset.pk, cohort.fay.pk], salt=views.SALT)
    for wrong in (
        "x",
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        signing.dumps([dataset.pk, cohort.fay.pk], salt="another"),
        signing.dumps([dataset.pk + 1, cohort.fay.pk], salt=views.SALT),
        signing.dumps([dataset.pk, cohort.jun.pk], salt=views.SALT),
    ):
        assert shown(cohort.fay, "download_dataset", dataset.pk, wrong).status_code == 404
    assert shown(cohort.jun, "download_dataset", dataset.pk, good).status_code == 403
    monkeypatch.setattr(views, "LINK_LASTS", -1)
    expired = shown(cohort.fay, "download_dataset", dataset.pk, good)
    assert expired.url == reverse("dataset", args=[dataset.pk])
    assert Download.objects.count() == 0


def test_an_altered_or_missing_file_is_never_served(cohort, built, shown):
    dataset = built().dataset
    token = signing.dumps([dataset.pk, cohort.fay.pk], salt=views.SALT)
    with open(default_storage.path(dataset.stored_as), "r+b") as file:
        file.seek(100)
        file.write(b"x")
    altered = shown(cohort.fay, "download_dataset", dataset.pk, token)
    assert altered.status_code == 409
    assert "not the one that was built" in altered.content.decode()
    default_storage.delete(dataset.stored_as)
    assert shown(cohort.fay, "download_dataset", dataset.pk, token).status_code == 409
    assert Download.objects.count() == 0


def test_a_failed_dataset_is_not_served(cohort, built, shown):
    dataset = built().dataset
    token = signing.dumps([dataset.pk, cohort.fay.pk], salt=views.SALT)
    building._fail(dataset, "late")
    assert shown(cohort.fay, "download_dataset", dataset.pk, token).status_code == 409


def test_a_later_request_joins_its_project(cohort, built, shown, client):
    dataset = built().dataset
    project = dataset.request.project
    client.force_login(cohort.fay)
    url = reverse("new_dataset") + f"?project={project.pk}"
    assert "keep the pseudonyms" in client.get(url).content.decode()
    client.post(url, {key: ASKED[key] for key in ("profile", "formats", "forms", "arms")})
    assert project.requests.count() == 2
    assert client.get(reverse("new_dataset") + "?project=x").status_code == 404


def test_anonymous_users_go_to_the_log_in(cohort, client):
    for name in ("datasets", "new_dataset"):
        assert reverse("account_login") in client.get(reverse(name)).url


def test_approving_sends_the_build_once_it_is_committed(cohort, order, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.build_dataset, "delay", sent.append)
    dataset = order()
    assert sent == [dataset.pk]
    # A broker that did not answer is asked again by the minute's sweep.
    Dataset.objects.update(queued_at="2026-01-01T00:00Z")
    tasks.sweep_builds()
    assert sent == [dataset.pk, dataset.pk]
