"""The same request, cut-off and code give the same bytes, whatever happened since."""

import io
import json
import random
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from registry.access.scope import user_scope
from registry.exports import actions
from registry.exports.formats import FORMATS
from registry.exports.management.commands import request_dataset
from registry.exports.models import Dataset, DatasetRequest, Download
from registry.exports.verification import problems
from registry.participants import actions as participants

from .. import build
from .conftest import filled
from .opened import open_dataset
from .test_as_of import some_change


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_a_rebuild_gives_the_same_bytes(cohort, order, profile):
    request = order(profile, formats=list(FORMATS)).request
    first = actions.build_now(request=request)
    draw = random.Random(profile)
    for _ in range(15):
        some_change(cohort, draw)
    filled(cohort.ana)
    later = actions.build_now(request=request)
    again = actions.build_now(request=request, cut_off=first.cut_off)
    assert open_dataset(again).files == open_dataset(first).files
    assert again.sha256 == first.sha256 != later.sha256


def test_who_stopped_sharing_since_has_left_and_the_manifest_says_so(cohort, order):
    request = order().request
    first = actions.build_now(request=request)
    someone = cohort.people[0]
    with user_scope(cohort.ana):
        participants.withdraw_consent(
            by=cohort.ana, participant=someone, on=cohort.tokyo.today, scope="stop_sharing"
        )
    again = actions.build_now(request=request, cut_off=first.cut_off)
    assert first.manifest["stopped_sharing_since"] == 0
    assert again.manifest["stopped_sharing_since"] == 1
    people = {one["table"]: one["delivered"] for one in again.manifest["tables"]}
    assert people["participants"] == 2


def test_who_began_to_share_since_was_not_in_it_then(cohort, order):
    build.participant(cohort.ana, consent={"allows_sharing": False})
    request = order().request
    first = actions.build_now(request=request)
    filled(cohort.ben)
    again = actions.build_now(request=request, cut_off=first.cut_off)
    assert again.sha256 == first.sha256


# -- commands ---------------------------------------------------------------------------------


def said(*command):
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


@pytest.fixture
def elsewhere(monkeypatch):
    """Not the demo, whose people have the addresses of the cast."""
    monkeypatch.setattr(request_dataset, "_demo", dict)


def ask(*more):
    command = ["request_dataset", "--project", "Calcium", "--by", "fay@example.org", *more]
    return int(said(*command))


def test_a_request_is_asked_for_and_approved_by_command(cohort, elsewhere):
    asked = DatasetRequest.objects.get(pk=ask())
    assert (asked.state, asked.profile, asked.formats) == (
        "asked",
        "safe_harbor",
        ["csv", "parquet"],
    )
    approved = ask("--profile=limited", "--formats=csv", "--approve-by", "jun@example.org")
    approved = DatasetRequest.objects.get(pk=approved)
    assert (approved.state, approved.profile, approved.formats) == ("approved", "limited", ["csv"])
    assert approved.project == asked.project
    assert approved.decided_by == cohort.jun
    with pytest.raises(CommandError, match="Say who asks"):
        said("request_dataset", "--project", "Calcium")


def test_in_the_demo_its_researcher_asks_and_its_steward_approves(cohort):
    asked = DatasetRequest.objects.get(pk=int(said("request_dataset", "--project", "Calcium")))
    assert (asked.asked_by, asked.decided_by, asked.state) == (cohort.fay, cohort.jun, "approved")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--by", "nobody@example.org"], "Nobody has the address"),
        (["--by", "ana@example.org"], "Only a researcher"),
        (["--approve-by", "fay@example.org"], "Only a data steward"),
        (["--formats", "xls"], "at least one format"),
        (["--forms", "nothing"], "no such form"),
        (["--arms", ""], "at least one arm"),
    ],
)
def test_what_cannot_be_asked_for_is_said(cohort, elsewhere, options, problem):
    with pytest.raises(CommandError, match=problem):
        ask(*options)


def test_a_dataset_is_built_into_a_folder(cohort, tmp_path):
    number = ask("--approve-by", "jun@example.org")
    out = tmp_path / "new" / "dataset"
    told = said("build_dataset", "--request", str(number), "--out", str(out))
    assert "3 of 3 participants" in " ".join(told.split())
    assert list(problems(out)) == []
    assert Download.objects.get().dataset.request_id == number
    with pytest.raises(CommandError, match="is not empty"):
        said("build_dataset", "--request", str(number), "--out", str(out))
    assert Dataset.objects.count() == 1
    cut_off = json.loads((out / "manifest.json").read_text())["cut_off"]
    filled(cohort.ana)
    again = tmp_path / "again"
    report = said(
        *f"build_dataset --request {number} --out {again} --cut-off {cut_off} --json".split()
    )
    assert json.loads(report)["manifest"] == json.loads((out / "manifest.json").read_text())
    for path in sorted(out.rglob("*.*")):
        assert path.read_bytes() == (again / path.relative_to(out)).read_bytes()


def test_a_build_that_fails_leaves_no_folder(cohort, elsewhere, tmp_path):
    number = ask()
    future = (timezone.now() + timedelta(days=1)).isoformat()
    for options, problem in (
        (["--request", "999"], "no request 999"),
        (["--request", str(number)], "is not approved"),
        (["--request", str(number), "--cut-off", "yesterday"], "is no time"),
        (["--request", str(number), "--cut-off", future], "is not approved"),
    ):
        with pytest.raises(CommandError, match=problem):
            said("build_dataset", "--out", str(tmp_path / "out"), *options)
    number = ask("--approve-by", "jun@example.org")
    with pytest.raises(CommandError, match="lies in the future"):
        said(
            "build_dataset",
            "--out",
            f"{tmp_path}/out",
            "--request",
            str(number),
            "--cut-off",
            future,
        )
    assert not Path(tmp_path, "out").exists()
