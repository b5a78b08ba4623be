"""What is in a dataset: tables, rows, columns and values, as its receiver opens it."""

import hashlib
import json

import pytest

from registry.access.scope import user_scope
from registry.exports import rules
from registry.exports.verification import problems
from registry.imaging.models import Reading, Xray
from registry.imaging.rules import final_grade
from registry.visits.models import FormEntry, Visit

from .. import build, owner
from .conftest import ENROLLED


def test_the_file_proves_itself(finished):
    opened = finished["safe_harbor"]
    assert opened.manifest["profile"] == "safe_harbor"
    assert opened.dataset.sha256 == hashlib.sha256(opened.data).hexdigest()
    proven = opened.manifest["sha256"]
    assert set(proven) == set(opened.files) - {"manifest.json"}
    assert {name: opened.sha256(name) for name in proven} == proven
    for row in opened.manifest["tables"]:
        assert row["expected"] == row["delivered"] == len(opened.table(row["table"]))


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_its_receiver_can_check_it(finished, profile, tmp_path):
    path = tmp_path / "dataset.zip"
    path.write_bytes(finished[profile].data)
    assert list(problems(path)) == []


def test_counts_are_those_of_the_registry(cohort, finished):
    opened = finished["safe_harbor"]
    rows = {table: len(opened.table(table)) for table in opened.tables}
    complete = "SELECT form, count(*) FROM visits_formentry WHERE state = 'complete' GROUP BY form"
    forms = dict(owner.rows(complete))
    assert rows == {
        "participants": 3,
        "visits": owner.rows("SELECT count(*) FROM visits_visit")[0][0],
        **{form: forms[form] for form in ("leg_check", "ceap", "vcss", "laboratory", "xray")},
        "grades": 3,
        "readings": 3,
        "ulcers": 3,
        "ulcer_assessments": forms.get("ulcers", 0),
        "absence_codes": 3,
    }


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_columns_are_those_of_its_codebook(finished, profile):
    opened = finished[profile]
    described = opened.codebook
    for table in opened.tables:
        columns = [row["column"] for row in described if row["table"] == table]
        assert opened.columns(table) == columns
    for row in described:
        known = row["choices"].split("|")
        for value in {one[row["column"]] for one in opened.table(row["table"])} - {""}:
            assert known == [""] or any(pair.startswith(f"{value}=") for pair in known), row


def test_only_the_arms_and_forms_asked_for_leave(cohort, built):
    control = build.participant(cohort.ana, enrolled_on=ENROLLED, arm="control")
    visit = build.attended(cohort.ana, control)
    unknown = {"any_open_ulcer": "unknown"}
    build.form(cohort.ana, visit, "leg_check", "left", absent=unknown, any_open_ulcer=None)
    opened = built(forms=["ceap"], arms=["control"])
    assert opened.tables == ["participants", "visits", "ceap", "absence_codes"]
    assert len(opened.table("participants")) == 1
    assert opened.table("absence_codes") == []


def test_a_multi_leaves_as_one_column_a_choice(finished):
    for row in finished["safe_harbor"].table("ceap"):
        chosen = {name for name, value in row.items() if value == "1"}
        assert chosen == {
            "ceap_symptomatic",
            "ceap_etiology_Ep",
            "ceap_anatomy_As",
            "ceap_anatomy_GSVa",
        }
        assert row["ceap_anatomy_Ad"] == "0"


def test_absence_codes_leave_as_one_long_table(finished):
    opened = finished["safe_harbor"]
    codes = opened.table("absence_codes")
    assert {(r["form"], r["item"], r["code"]) for r in codes} == {("laboratory", "crp", "not_done")}
    assert {r["participant"] for r in codes} == {
        r["participant"] for r in opened.table("participants")
    }


def test_only_a_final_grade_leaves(cohort, built):
    """As imaging.rules.final_grade says: of two independent readings none is final yet."""
    with user_scope(cohort.ana):
        first = Reading.objects.order_by("pk").first()
        first.pk, first.reader = None, cohort.hiro
        first.save(force_insert=True)
        alone = Reading.objects.exclude(xray=first.xray_id).get()
        alone.pk, alone.mode, alone.read_no = None, "paired", 2
        alone.save(force_insert=True)
        studies = [list(x.readings.all()) for x in Xray.objects.all()]
    with user_scope(cohort.ben):
        studies += [list(x.readings.all()) for x in Xray.objects.all()]
    final = [grade for grade in map(final_grade, studies) if grade]
    opened = built()
    assert len(opened.table("grades")) == len(final) == 2
    assert {row["reading_mode"] for row in opened.table("grades")} == {"independent"}
    assert len(opened.table("readings")) == sum(map(len, studies)) == 5


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_readings_are_numbered_by_when_they_came(cohort, built, profile):
    """Not by their readers, who could then be told apart where no reader leaves."""
    with user_scope(cohort.ana):
        first, other = Reading.objects.order_by("pk")
        for found, reader in ((first, cohort.hiro), (other, cohort.hiro), (first, cohort.chen)):
            found.pk, found.reader, found.quality = None, reader, "limited"
            found.save(force_insert=True)
        made = [list(x.readings.order_by("at")) for x in Xray.objects.all()]
    rows = built(profile).table("readings")
    assert ("reading_reader" in rows[0]) == (profile == "limited")
    told = {}
    for row in rows:
        told.setdefault(row["participant"], []).append((row["reading"], row["reading_quality"]))
    wanted = [[(str(n), one.quality) for n, one in enumerate(x, 1)] for x in made if x]
    assert sorted(told.values()) == sorted([*wanted, [("1", "good")]])


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_keys_name_one_row_and_order_all(cohort, built, profile):
    """Two rows with the same keys could stand either way: the bytes would not be the same."""
    with user_scope(cohort.ana):
        for found in list(Reading.objects.all()):
            for mode, read_no in (("independent", 2), ("paired", 3)):
                found.pk, found.mode, found.read_no = None, mode, read_no
                found.save(force_insert=True)
    visit = build.attended(cohort.ana, cohort.people[0], code="M03")
    for limb in ("right", "left"):
        build.form(cohort.ana, visit, "ceap", limb)
    opened = built(profile, forms=list(rules.forms()))
    described = json.loads(opened.files["codebook.json"])["tables"]
    assert [one["table"] for one in described] == opened.tables
    for one in described:
        rows = opened.table(one["table"])
        keys = [tuple(row[key] for key in one["keys"]) for row in rows]
        assert len(set(keys)) == len(keys), one["table"]
        # NULL stands last in PostgreSQL, and numbers by their size.
        numbers = {c["column"] for c in one["columns"] if c["kind"] == "number"}
        places = [
            tuple(
                (v == "", v.rjust(9) if k in numbers else v)
                for k, v in zip(one["keys"], key, strict=True)
            )
            for key in keys
        ]
        assert places == sorted(places), one["table"]


def test_codes_and_signs_arrive_exactly(cohort, built):
    """A comparator, and texts that a spreadsheet or a separator would spoil."""
    with user_scope(cohort.ana):
        visit = Visit.objects.get(participant=cohort.people[0], code="BL")
        hostile = '=cmd|" /C calc",\r\n;x'
        FormEntry.objects.filter(pk=visit.entries.get(form="ceap", limb="right").pk).update(
            occurrence=hostile[:12]
        )
        record = visit.entries.get(form="laboratory").record()
        type(record).objects.filter(pk=record.pk).update(calcium_total_comparator="<")
        record = visit.entries.get(form="ceap", limb="right").record()
        type(record).objects.filter(pk=record.pk).update(
            absent={"symptomatic": "refused"}, symptomatic=None
        )
    opened = built()
    [row] = [r for r in opened.table("absence_codes") if r["form"] == "ceap"]
    assert row["occurrence"] == hostile[:12]
    signs = sorted(r["laboratory_calcium_total_comparator"] for r in opened.table("laboratory"))
    assert signs == ["<", "=", "="]
    assert {r["laboratory_calcium_total"] for r in opened.table("laboratory")} == {"2.400"}


def test_the_same_records_give_the_same_bytes(built):
    first = built()
    again = built(project=first.dataset.request.project)
    for name in first.files:
        if name not in ("manifest.json", "README.txt", "disclosure.json"):
            assert first.files[name] == again.files[name], name
