"""What a release says changed since the project's last one."""

from datetime import UTC, date, timedelta
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import timezone

from registry.access.scope import user_scope
from registry.exports import actions, tasks
from registry.exports.changes import changes, shown
from registry.exports.models import Dataset, DatasetRequest
from registry.participants import actions as participants

from .. import build, owner
from .conftest import ENROLLED, filled, made

ALL = {
    "profile": "safe_harbor",
    "forms": ["ceap"],
    "arms": ["cvi"],
    "sites": [],
    "enrolled_from": None,
    "enrolled_to": None,
    "classes": [],
    "formats": ["csv"],
}
COLUMNS = {"participants": ["participant", "sex"], "visits": ["participant", "visit"]}
ABOUT = {
    "cut_off": "2026-01-01T00:00:00+00:00",
    "protocol_version": "1.0",
    "codebook_version": "aa",
    "code_version": "bb",
    "columns": COLUMNS,
}
NOBODY = {"added": 0, "gone": 0, "stopped_sharing": 0}


def compared(rows, then=None, now=None, about=None, people=NOBODY):
    """The changes between two releases of two tables, as the manifest tells them."""
    former = [{"table": table, "delivered": 3} for table in COLUMNS]
    earlier = SimpleNamespace(
        pk=7,
        manifest=ABOUT | {"tables": former},
        request=DatasetRequest(**(ALL | (then or {}))),
    )
    request = DatasetRequest(**(ALL | (now or {})))
    return changes(earlier, request, ABOUT | (about or {}), rows, people)


def test_the_same_again_changed_nothing():
    assert compared({"participants": 3, "visits": 3}) == {
        "since": {"dataset": 7, "cut_off": ABOUT["cut_off"]},
        "participants": {"then": 3, "now": 3} | NOBODY,
        "rows": {"participants": {"then": 3, "now": 3}, "visits": {"then": 3, "now": 3}},
        "tables": {"added": [], "gone": []},
        "columns": {},
        "made": {},
    }


def test_tables_and_columns_that_came_and_went_are_told():
    columns = {"participants": ["participant", "age"], "ceap": ["participant"]}
    told = compared({"participants": 4, "ceap": 1}, about={"columns": columns})
    assert told["tables"] == {"added": ["ceap"], "gone": ["visits"]}
    assert told["columns"] == {"participants": {"added": ["age"], "gone": ["sex"]}}
    assert told["rows"] == {
        "participants": {"then": 3, "now": 4},
        "ceap": {"then": None, "now": 1},
        "visits": {"then": 3, "now": None},
    }


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({}, {"profile": "limited"}, {"profile": ("safe_harbor", "limited")}),
        ({}, {"arms": ["control", "cvi"]}, {"arms": (["cvi"], ["control", "cvi"])}),
        ({}, {"forms": []}, {"forms": (["ceap"], [])}),
        ({}, {"enrolled_from": date(2024, 1, 2)}, {"enrolled_from": (None, "2024-01-02")}),
        ({"classes": [6]}, {"classes": [5, 6]}, {"classes": ([6], [5, 6])}),
        ({}, {"formats": ["csv", "parquet"]}, {"formats": (["csv"], ["csv", "parquet"])}),
        # Of sites the number: their keys would link two projects.
        ({"sites": [31]}, {"sites": [31, 44]}, {"sites": (1, 2)}),
        ({"sites": [31]}, {"sites": [44]}, {"sites": (1, 1)}),
    ],
)
def test_what_was_asked_for_otherwise_is_told(then, now, told):
    found = compared({"participants": 3, "visits": 3}, then, now)["made"]
    assert found == {name: {"then": before, "now": after} for name, (before, after) in told.items()}


@pytest.mark.parametrize("name", ["protocol_version", "codebook_version", "code_version"])
def test_another_version_is_told(name):
    found = compared({"participants": 3, "visits": 3}, about={name: "new"})["made"]
    assert found == {name: {"then": ABOUT[name], "now": "new"}}


def test_a_page_shows_them_in_words():
    told = compared(
        {"participants": 4, "ceap": 1},
        then={"sites": [31]},
        now={"profile": "limited", "classes": [5, 6], "enrolled_from": date(2024, 1, 2)},
        about={"columns": {"participants": ["participant", "age"], "ceap": []}},
    )
    page = shown({"changes": told, "tables": [{"table": "participants"}, {"table": "ceap"}]})
    assert [(one.label, one.then, one.now) for one in page.made] == [
        ("Profile", "Safe Harbor", "Limited"),
        ("Number of sites", "1", "all"),
        ("Enrolled from", "any day", "2024-01-02"),
        ("Clinical classes at baseline", "all", "C5, C6"),
    ]
    assert [(one.name, one.then, one.now, one.added, one.gone) for one in page.tables] == [
        ("participants", 3, 4, ["age"], ["sex"]),
        ("ceap", None, 1, (), ()),
        ("visits", 3, None, (), ()),
    ]


@pytest.mark.parametrize("manifest", [{}, {"changes": None}])
def test_a_first_release_and_an_unfinished_one_have_nothing_to_show(manifest):
    assert shown(manifest) is None


# -- built --------------------------------------------------------------------------------------


@pytest.fixture
def rebuilt(cohort):
    """Build a dataset's request once more for a cut-off of the past."""

    def make(dataset, cut_off=None):
        again = actions.order_build(by=cohort.jun, request=dataset.request)
        Dataset.objects.filter(pk=again.pk).update(cut_off=cut_off or dataset.cut_off)
        return made(again)

    return make


def stop(cohort, someone):
    with user_scope(cohort.ana):
        participants.withdraw_consent(
            by=cohort.ana, participant=someone, on=cohort.tokyo.today, scope="stop_sharing"
        )


def people(opened):
    told = opened.manifest["changes"]["participants"]
    return told["then"], told["now"], told["added"], told["gone"], told["stopped_sharing"]


def test_a_release_counts_who_came_and_went_and_who_stopped_sharing(cohort, built, client):
    first = built()
    project = first.dataset.request.project
    assert first.manifest["changes"] is None
    filled(cohort.ana)
    build.participant(cohort.ana, enrolled_on=ENROLLED)
    stop(cohort, cohort.people[0])
    later = built(project=project)
    assert people(later) == (3, 4, 2, 1, 1)
    told = later.manifest["changes"]
    assert told["since"]["dataset"] == first.dataset.pk
    assert told["rows"]["ceap"] == {"then": 3, "now": 3}
    assert told["made"] == told["columns"] == {}
    narrower = built("limited", project=project, forms=["ceap"])
    assert people(narrower) == (4, 4, 0, 0, 0)
    told = narrower.manifest["changes"]
    assert told["since"]["dataset"] == later.dataset.pk
    assert "laboratory" in told["tables"]["gone"]
    assert "participant_site" in told["columns"]["participants"]["added"]
    assert set(told["made"]) == {"profile", "forms"}
    client.force_login(cohort.fay)
    page = client.get(reverse("dataset", args=[narrower.dataset.pk])).content.decode()
    assert f"Changes since dataset {later.dataset.pk}" in page
    assert "<code>+participant_site</code>" in page


def test_another_project_is_never_compared_with(built):
    built()
    assert built().manifest["changes"] is None


def test_a_rebuild_is_the_same_to_the_byte_whatever_was_built_since(cohort, built, rebuilt):
    first = built()
    project = first.dataset.request.project
    filled(cohort.ana)
    second = built(project=project)
    filled(cohort.ana)
    third = built(project=project)
    assert third.manifest["changes"]["since"]["dataset"] == second.dataset.pk
    # A cut-off between the first and the second, which nobody had asked for then.
    between = rebuilt(first.dataset, second.dataset.cut_off - timedelta(microseconds=1))
    assert between.manifest["changes"]["since"]["dataset"] == first.dataset.pk
    for one in (first, second, third):
        assert rebuilt(one.dataset).data == one.data


def test_a_later_stop_is_told_by_a_rebuild_and_by_nothing_else(cohort, built, rebuilt):
    """Of who left for another reason and stopped later, a rebuild says what it said before."""
    control = build.participant(cohort.ana, enrolled_on=ENROLLED, arm="control")
    first = built(arms=["cvi", "control"])
    second = built(project=first.dataset.request.project)
    assert people(second) == (4, 3, 0, 1, 0)
    stop(cohort, control)
    assert rebuilt(second.dataset).data == second.data
    stop(cohort, cohort.people[0])
    again = rebuilt(second.dataset)
    assert people(again) == (4, 2, 0, 2, 1)
    assert again.manifest["stopped_sharing_since"] == 1


def test_what_failed_is_not_compared_with_and_a_retry_tells_the_same(cohort, built, order):
    first = built()
    failed = order(project=first.dataset.request.project)
    Dataset.objects.filter(pk=failed.pk).update(
        state="failed", cut_off=timezone.now().astimezone(UTC)
    )
    later = built(project=first.dataset.request.project)
    assert later.manifest["changes"]["since"]["dataset"] == first.dataset.pk


def test_who_was_in_a_dataset_is_kept_with_its_build_alone(built, order, monkeypatch):
    opened = built()
    included = owner.rows("SELECT dataset_id, cardinality(participants) FROM exports_included")
    assert included == [(opened.dataset.pk, 3)]

    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("registry.exports.archive.Delivery.write", refuse)
    tasks.build_dataset(order().pk)
    assert owner.rows("SELECT count(*) FROM exports_included") == [(1,)]
