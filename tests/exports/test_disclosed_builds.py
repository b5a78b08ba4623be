"""Disclosure control of whole datasets: what leaves, what is said of it, and what is refused."""

import json

import pytest
from django.db import connection, transaction

from registry.access.scope import user_scope
from registry.exports import actions, tasks
from registry.exports.actions import ExportError
from registry.exports.models import DatasetRequest
from registry.exports.verification import problems
from registry.participants import actions as participants

from .. import build, owner
from .conftest import ENROLLED, FORMS, filled
from .opened import open_dataset

SHOWN = ("sex", "age_at_enrolment", "enrolled_on", "site", "age_at_first_ulcer")


@pytest.fixture
def four(cohort, settings):
    """Two women and two men, of whom two of each have to look alike."""
    settings.DISCLOSURE_K = {"limited": 2, "safe_harbor": 2}
    cohort.people.append(filled(cohort.ana, sex="male"))
    return cohort


def shown(opened):
    rows = opened.table("participants")
    return sorted(tuple(row.get(f"participant_{name}") for name in SHOWN) for row in rows)


def test_what_gives_back_what_was_made_coarser_is_gone_with_it(four, built, tmp_path):
    opened = built("limited")
    assert opened.dataset.disclosure["step"] == "small_sites"
    rows = [(sex, "65", "2024-H1", "0", "") for sex in ("female", "male") for _ in range(2)]
    assert shown(opened) == rows
    assert {row["ceap_examiner"] for row in opened.table("ceap")} == {""}
    assert {row["reading_reader"] for row in opened.table("readings")} == {""}
    assert "age in bands of five years; small sites together, as site 0" in " ".join(
        opened.files["README.txt"].decode().split()
    )
    path = tmp_path / "dataset.zip"
    path.write_bytes(opened.data)
    assert list(problems(path)) == []


def test_the_researchers_copy_is_the_report_without_finer_figures(four, built):
    opened = built("limited")
    told = json.loads(opened.files["disclosure.json"])
    whole = opened.dataset.disclosure
    assert {name for name in whole if told.get(name) != whole[name]} == {
        "before",
        "blocked",
        "steps",
    }
    assert told["steps"] == ["finest", "age_5", "small_sites"]
    assert told["levels"] == {
        "sex": "sex",
        "age": "age_5",
        "period": "half_year",
        "site": "small_sites",
    }
    assert not {"before", "blocked"} & told.keys()


@pytest.mark.parametrize(
    ("profile", "kept"),
    [
        # Of another sex is one alone: the two men go with him.
        ("safe_harbor", [("female", "60 to 69", "2024", None)] * 5),
        # One more is alone, a woman at her site: the two are enough.
        (
            "limited",
            [("female", "68", "2024-H1", "60 to 69")] * 4
            + [("male", "68", "2024-H1", "60 to 69")] * 2,
        ),
    ],
)
def test_who_is_alone_loses_them_all_with_as_many_as_it_takes(four, built, profile, kept):
    for _ in range(3):
        filled(four.ana)
    filled(four.ana, sex="other")
    opened = built(profile)
    gone, rows = shown(opened)[: -len(kept)], shown(opened)[-len(kept) :]
    assert opened.dataset.disclosure["suppressed"] == len(gone) == 8 - len(kept)
    assert all(set(row) <= {"", None} for row in gone)
    assert [(*row[:3], row[4]) for row in rows] == kept
    assert len({row[3] for row in rows}) == 1  # the site


def test_bands_of_twenty_years_leave_as_codes_of_the_codebook(four, built):
    for sex in ("female", "male"):
        older = build.person(birth_date=ENROLLED.replace(year=1949))
        build.participant(four.ana, enrolled_on=ENROLLED, sex=sex, person=older)
    opened = built()
    assert opened.dataset.disclosure["step"] == "age_20"
    assert {row[1] for row in shown(opened)} == {"60 to 79"}
    [column] = [r for r in opened.codebook if r["column"] == "participant_age_at_enrolment"]
    assert "60 to 79=60–79" in column["choices"].split("|")


# -- blocked ------------------------------------------------------------------------------------


def test_too_few_people_are_neither_approved_nor_built(cohort, order, settings):
    dataset = order("limited")
    settings.DISCLOSURE_K = {"limited": 4, "safe_harbor": 4}
    tasks.build_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.stored_as, dataset.disclosure) == ("failed", "", {})
    assert "Fewer than 4 people would be in it" in dataset.error
    for table in ("pseudonym", "included"):
        assert owner.rows(f"SELECT count(*) FROM exports_{table}") == [(0,)]
    about = {"profile": "limited", "forms": FORMS, "arms": ["cvi"]}
    asked = actions.request_dataset(by=cohort.fay, title="Few", purpose="To learn", **about)
    with pytest.raises(ExportError, match="Fewer than 4 people"):
        actions.approve_request(by=cohort.jun, request=asked)
    asked.refresh_from_db()
    assert (asked.state, asked.datasets.count()) == ("asked", 0)


# -- outcomes -----------------------------------------------------------------------------------


def test_of_several_outcomes_the_worst_counts(cohort):
    one, other, third = cohort.people
    for kind in ("death", "amputation_toe"):
        build.row(cohort.ana, one, "event", kind=kind, limb="right", occurred_on=ENROLLED)
    build.row(cohort.ana, other, "event", kind="cellulitis", limb="right", occurred_on=ENROLLED)
    build.row(cohort.ana, other, "end", ended_on=ENROLLED, reason="moved")
    build.row(cohort.ben, third, "end", ended_on=ENROLLED, reason="completed")
    wanted = [
        (one.pk, "death", "died", None),
        (other.pk, None, "censored", True),
        (third.pk, None, "censored", False),
    ]
    for view in ("outcomes", "outcomes_now"):
        assert owner.rows(f"SELECT * FROM release.{view} ORDER BY id") == wanted


# -- what releases tell together ------------------------------------------------------------------


def test_what_a_later_release_adds_is_found_and_said(four, built, shown_to):
    first = built("limited", forms=["event"]).dataset
    assert first.disclosure["releases"] == []
    build.row(four.ana, four.people[0], "event", kind="death", occurred_on=ENROLLED)
    for _ in range(2):
        build.participant(four.ben, enrolled_on=ENROLLED)
    with user_scope(four.ana):
        participants.withdraw_consent(
            by=four.ana, participant=four.people[1], on=four.tokyo.today, scope="stop_sharing"
        )
    request = first.request
    report = built("limited", forms=["event"], project=request.project).dataset.disclosure
    [beside] = report["releases"]
    assert beside == {
        "dataset": first.pk,
        "added": 2,
        "gone": 1,
        "cells": 1,
        "small": 1,
        "single": 1,
    }
    [outcome] = report["outcomes"]
    assert (outcome["outcome"], outcome["people"]) == ("major_event", 1)
    # Those who came, the one who left, the woman and the man who stayed or are suppressed.
    assert report["after"]["below"] == 0
    assert report["joined"]["below"] > 0
    again = actions.request_dataset(
        by=four.fay, project=request.project, profile="limited", forms=["event"], arms=["cvi"]
    )
    page = shown_to(four.jun, "dataset_request", again.pk)
    for said in ("Joined with the project’s other releases", "Outcomes changed for so few"):
        assert said in page


def test_a_rebuild_reports_what_its_first_build_did(four, order):
    """Not the releases that came between: the bytes would differ."""
    request = order("limited").request
    first = actions.build_now(request=request)
    filled(four.ben)
    later = actions.build_now(request=actions.order_build(by=four.fay, request=request).request)
    assert [one["dataset"] for one in later.disclosure["releases"]] == [first.pk]
    filled(four.ana, sex="other")
    for built in (first, later):
        again = actions.build_now(request=request, cut_off=built.cut_off)
        assert again.disclosure == built.disclosure
        assert open_dataset(again).files == open_dataset(built).files


# -- pages and walls ----------------------------------------------------------------------------


@pytest.fixture
def shown_to(shown_page):
    return lambda *args: shown_page(*args).content.decode()


@pytest.fixture
def shown_page(client, request):
    return request.getfixturevalue("shown")


def test_a_steward_reads_before_approving_what_the_build_will_say(four, order, shown_to):
    about = {"profile": "limited", "forms": FORMS, "arms": ["cvi"]}
    asked = actions.request_dataset(by=four.fay, title="Calcium", purpose="To learn", **about)
    now = actions.disclosure_now(by=four.jun, request=asked)
    page = shown_to(four.jun, "dataset_request", asked.pk)
    assert "Of 4 participants each looks like at least 1 others" in page
    assert "What to do" in page
    assert "See whether the purpose can be reached with what is coarser" in page
    assert "look alike" not in shown_to(four.fay, "dataset_request", asked.pk)
    with pytest.raises(ExportError, match="Only a data steward"):
        actions.disclosure_now(by=four.fay, request=asked)
    actions.approve_request(by=four.jun, request=asked)
    dataset = actions.build_now(request=asked)
    assert dataset.disclosure == now
    ours, theirs = (shown_to(who, "dataset", dataset.pk) for who in (four.jun, four.fay))
    for page in (ours, theirs):
        assert "Of 4 participants each looks like at least 1 others" in page
        assert "What to do" not in page  # it has been decided
    assert "Steps tried in this order" in ours
    assert "Steps tried in this order" not in theirs


def test_a_request_that_would_be_blocked_says_what_to_do(cohort, settings, shown_to):
    settings.DISCLOSURE_K = {"limited": 5, "safe_harbor": 11}
    about = {"profile": "safe_harbor", "forms": FORMS, "arms": ["cvi"]}
    asked = actions.request_dataset(by=cohort.fay, title="Calcium", purpose="To learn", **about)
    page = shown_to(cohort.jun, "dataset_request", asked.pk)
    assert "It cannot be approved; return it. Fewer than 11 people would be in it" in page
    assert 'value="approve"' not in page


def test_the_web_role_gets_figures_and_no_rows(four, order):
    """Nor where it lays a table of its own in the way."""
    order()
    number = DatasetRequest.objects.get().pk
    call = "SELECT registry_disclosure_now(%s, 2, 0.05)"
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(call, [number])
        cursor.execute("SELECT to_regclass('pg_temp.known'), to_regclass('pg_temp.shown')")
        assert cursor.fetchone() == (None, None)
    for table in ("known", "shown", "sent", "joined"):
        with connection.cursor() as cursor, transaction.atomic():
            cursor.execute(f"CREATE TEMP TABLE {table} (id bigint, stolen text)")
            with pytest.raises(Exception, match="already exists"), transaction.atomic():
                cursor.execute(call, [number])
            transaction.set_rollback(True)


@pytest.mark.parametrize(
    "call",
    [
        "release.disclose('[]', '[]', 1, 1)",
        "release.measure('public.participants_identity', 'id', 1)",
    ],
)
def test_the_web_role_discloses_nothing_by_itself(cohort, call):
    with pytest.raises(Exception, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(f"SELECT {call}")
