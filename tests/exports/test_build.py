"""A dataset built by the release role from committed records, opened as its receiver would."""

import csv
import hashlib
import io
import json
import re
import threading
import zipfile
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connections, transaction

from registry.access.actions import choose_language
from registry.access.scope import user_scope
from registry.core import dates
from registry.exports import actions, rules, tasks, writers
from registry.exports.actions import building
from registry.exports.archive import Delivery
from registry.exports.models import Dataset
from registry.exports.verification import problems
from registry.imaging.models import Reading, Xray
from registry.imaging.rules import final_grade
from registry.participants import actions as participants
from registry.participants.models import Participant, Screening
from registry.visits.models import FormEntry, Visit

from .. import build
from .conftest import CANARY, ENROLLED, filled

pytestmark = pytest.mark.slow

DATE = re.compile(rb"\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}[/.]\d{4}|\b(19|20)\d{6}\b")


def owner(statement, *values):
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_the_file_proves_itself(built):
    opened = built()
    assert opened.manifest["profile"] == "safe_harbor"
    assert opened.dataset.sha256 == hashlib.sha256(opened.data).hexdigest()
    proven = opened.manifest["sha256"]
    assert set(proven) == set(opened.files) - {"manifest.json"}
    assert {name: opened.sha256(name) for name in proven} == proven
    for row in opened.manifest["tables"]:
        assert row["expected"] == row["delivered"] == len(opened.table(row["table"]))


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_its_receiver_can_check_it(built, profile, tmp_path):
    path = tmp_path / "dataset.zip"
    path.write_bytes(built(profile).data)
    assert list(problems(path)) == []


def test_counts_are_those_of_the_registry(built):
    opened = built()
    rows = {table: len(opened.table(table)) for table in opened.tables}
    finished = dict(
        owner("SELECT form, count(*) FROM visits_formentry WHERE state = 'complete' GROUP BY form")
    )
    assert rows == {
        "participants": 3,
        "visits": owner("SELECT count(*) FROM visits_visit")[0][0],
        "leg_check": finished["leg_check"],
        "ceap": finished["ceap"],
        "vcss": finished["vcss"],
        "laboratory": finished["laboratory"],
        "xray": finished["xray"],
        "grades": 3,
        "readings": 3,
        "ulcers": 3,
        "ulcer_assessments": finished.get("ulcers", 0),
        "absence_codes": 3,
    }


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_columns_are_those_of_its_codebook(built, profile):
    opened = built(profile)
    described = list(csv.DictReader(io.StringIO(opened.files["codebook.csv"].decode())))
    for table in opened.tables:
        columns = next(csv.reader(io.StringIO(opened.text(table))))
        assert columns == [row["column"] for row in described if row["table"] == table]
    for row in described:
        known = row["choices"].split("|")
        for value in {one[row["column"]] for one in opened.table(row["table"])} - {""}:
            assert known == [""] or any(pair.startswith(f"{value}=") for pair in known), row


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_no_identity_no_free_text_and_no_date_leaves(cohort, built, profile):
    """Canaries stand in every column of text, bytes and dates that is not released."""
    someone = cohort.people[0]
    who = build.person(
        family_name=f"{CANARY}family",
        given_name=f"{CANARY}given",
        birth_date=date(1933, 11, 22),
        hospital_number=f"{CANARY}hospital",
        phone="0998877665544",
        email=f"{CANARY}@example.org",
        address=f"{CANARY} street",
    )
    filled(cohort.ana, person=who)
    with user_scope(cohort.ana):
        Visit.objects.filter(participant=someone, code="M03").update(
            missed_because=f"{CANARY} missed", booked_place=f"{CANARY} place"
        )
        visit = Visit.objects.get(participant=someone, code="BL")
        record = visit.entries.get(form="laboratory").record()
        type(record).objects.filter(pk=record.pk).update(
            absent={"pth": "not_done", "crp": f"{CANARY} absent", CANARY: "not_done"},
            confirmed={"calcium_total": CANARY},
        )
        FormEntry.objects.filter(pk=visit.entries.get(form="xray", limb="left").pk).update(
            draft={"note": [f"{CANARY} draft"]}, state="draft"
        )
    opened = built(profile)
    everything = opened.everything
    assert CANARY.lower().encode() not in everything.lower()
    with user_scope(cohort.ana):
        numbers = list(Participant.objects.values_list("study_number", flat=True))
    assert len(numbers) == 3
    for secret in [*numbers, "0998877665544", "Tokyo", "TKY", "ana@", "Ana Sato"]:
        assert secret.encode() not in everything
    for table in opened.tables:
        assert not DATE.search(opened.text(table).encode()), table


def test_dates_leave_as_study_days(cohort, built):
    opened = built()
    [baseline] = {
        (row["visit_target_on"], row["visit_attended_on"])
        for row in opened.table("visits")
        if row["visit"] == "BL"
    }
    assert baseline == ("0", "2")
    for ulcer in opened.table("ulcers"):
        assert ulcer["ulcer_onset_on"] == "-30"  # February, enrolled in March
        assert ulcer["ulcer_onset_on_precision"] == "month"
    assert {row["participant_enrolled_on"] for row in opened.table("participants")} == {"2024"}
    assert {row["participant_age_at_enrolment"] for row in opened.table("participants")} == {
        "60 to 69"
    }


def days_told(onset):
    """As the protocol tells a partial date: whole years, whole months, or exactly."""
    year, month, day = (int(part) for part in f"{onset}-01-01"[:10].split("-"))
    match dates.precision(onset):
        case "year":
            return (year - ENROLLED.year) * 365
        case "month":
            return ((year - ENROLLED.year) * 12 + month - ENROLLED.month) * 30
        case _:
            return (date(year, month, day) - ENROLLED).days


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_partial_dates_leave_as_whole_years_and_months(cohort, built, profile):
    onsets = ["1999", "2024", "2023-02", "2024-03", "2024-12", "2024-03-01", "2023-12-31"]
    with user_scope(cohort.ana):
        one = cohort.people[0].ulcers.get()
        for number, onset in enumerate(onsets, 2):
            one.pk, one.label, one.onset_on = None, f"R{number}", onset
            one.save(force_insert=True)
    rows = {row["ulcer"]: row for row in built(profile, forms=["ulcers"]).table("ulcers")}
    told = [rows[f"R{number}"]["ulcer_onset_on"] for number, _onset in enumerate(onsets, 2)]
    assert told == [str(days_told(onset)) for onset in onsets]
    assert told[:5] == ["-9125", "0", "-390", "0", "270"]
    for number, onset in enumerate(onsets, 2):
        assert rows[f"R{number}"]["ulcer_onset_on_precision"] == dates.precision(onset)


def test_ages_are_capped_and_banded(cohort, built):
    oldest = build.person(birth_date=date(1925, 1, 1))
    build.participant(cohort.ana, enrolled_on=ENROLLED, person=oldest)
    bands = {r["participant_age_at_enrolment"] for r in built().table("participants")}
    assert bands == {"60 to 69", "90+"}
    ages = {r["participant_age_at_enrolment"] for r in built("limited").table("participants")}
    assert ages == {"68", "90"}


def test_a_rare_sex_is_missing_under_safe_harbor_alone(cohort, built):
    build.participant(cohort.ana, enrolled_on=ENROLLED, sex="other")
    sexes = sorted(row["participant_sex"] for row in built().table("participants"))
    assert sexes == ["", "female", "female", "male"]
    sexes = sorted(row["participant_sex"] for row in built("limited").table("participants"))
    assert sexes == ["female", "female", "male", "other"]


def test_a_multi_leaves_as_one_column_a_choice(built):
    for row in built().table("ceap"):
        chosen = {name for name, value in row.items() if value == "1"}
        assert chosen == {
            "ceap_symptomatic",
            "ceap_etiology_Ep",
            "ceap_anatomy_As",
            "ceap_anatomy_GSVa",
        }
        assert row["ceap_anatomy_Ad"] == "0"


def test_stand_ins_are_the_same_for_the_same_and_other_for_others(cohort, built):
    opened = built("limited")
    sites = [row["participant_site"] for row in opened.table("participants")]
    assert sorted(map(sites.count, set(sites))) == [1, 2]
    readers = {row["reading_reader"] for row in opened.table("readings")}
    assert readers == {"1", "2"}
    # One name typed at two sites is two examiners.
    assert {row["ceap_examiner"] for row in opened.table("ceap")} == {"1", "2"}


def test_absence_codes_leave_as_one_long_table(built):
    opened = built()
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


def test_rows_stand_in_the_order_of_pseudonyms(cohort, built):
    for _ in range(5):
        build.participant(cohort.ana, enrolled_on=ENROLLED)
    opened = built()
    for table in opened.tables:
        names = [row["participant"] for row in opened.table(table)]
        assert names == sorted(names)
    enrolled = dict(owner("SELECT code, participant_id FROM exports_pseudonym"))
    keys = [enrolled[row["participant"]] for row in opened.table("participants")]
    assert keys != sorted(keys)


def test_withdrawn_and_refused_sharing_leaves(cohort, built):
    build.participant(cohort.ana, enrolled_on=ENROLLED, consent={"allows_sharing": False})
    stopped, contact = cohort.people[0], cohort.people[1]
    with user_scope(cohort.ana):
        for someone, scope in ((stopped, "stop_sharing"), (contact, "stop_contact")):
            participants.withdraw_consent(
                by=cohort.ana, participant=someone, on=cohort.tokyo.today, scope=scope
            )
    opened = built()
    assert len(opened.table("participants")) == 2
    assert len(opened.table("ceap")) == 2


def test_the_newest_consent_decides(cohort, built):
    refused, allowed = cohort.people[0], cohort.people[1]
    for someone, allows in ((refused, False), (allowed, True)):
        with user_scope(cohort.ana):
            screened = Screening.objects.select_related("site").get(pk=someone.screening_id)
        build.consent(
            cohort.ana,
            screened,
            signed_on=ENROLLED + timedelta(days=30),
            allows_sharing=allows,
        )
    assert len(built().table("participants")) == 2


def test_only_the_arms_and_forms_asked_for_leave(cohort, built):
    control = build.participant(cohort.ana, enrolled_on=ENROLLED, arm="control")
    visit = build.attended(cohort.ana, control)
    unknown = {"any_open_ulcer": "unknown"}
    build.form(cohort.ana, visit, "leg_check", "left", absent=unknown, any_open_ulcer=None)
    opened = built(forms=["ceap"], arms=["control"])
    assert opened.tables == ["participants", "visits", "ceap", "absence_codes"]
    assert len(opened.table("participants")) == 1
    assert opened.table("absence_codes") == []


def test_pseudonyms_last_within_a_project_and_no_further(cohort, built):
    first = built()
    later = built("limited", project=first.dataset.request.project)
    other = built()
    names = [{r["participant"] for r in o.table("participants")} for o in (first, later, other)]
    assert names[0] == names[1]
    assert not names[0] & names[2]


def test_two_projects_cannot_be_joined_by_name_or_order(cohort, built):
    """Nor by when a file was made: that of a build is nowhere but in its manifest."""
    for number in range(6):
        build.participant(cohort.ana, enrolled_on=ENROLLED + timedelta(days=number))
    one, other = built("limited"), built("limited")
    persons = dict(owner("SELECT code, participant_id FROM exports_pseudonym"))
    orders = [
        [persons[row["participant"]] for row in opened.table("participants")]
        for opened in (one, other)
    ]
    assert sorted(orders[0]) == sorted(orders[1])
    assert len(persons) == 2 * len(orders[0])
    assert orders[0] != orders[1]
    for text in (one.everything, other.everything):
        told = {name for name in persons if name.encode() in text}
        assert len(told) == len(orders[0])
    with zipfile.ZipFile(io.BytesIO(one.data)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not archive.comment
        assert not any(entry.comment or entry.extra for entry in archive.infolist())


def test_the_same_records_give_the_same_bytes(built):
    first = built()
    again = built(project=first.dataset.request.project)
    for name in first.files:
        if name not in ("manifest.json", "README.txt"):
            assert first.files[name] == again.files[name], name


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


def test_progress_is_of_real_rows_and_one_mail_is_sent(cohort, built):
    opened = built()
    done = opened.dataset
    assert done.rows_done == done.rows_expected
    assert done.rows_expected == sum(row["delivered"] for row in opened.manifest["tables"])
    assert not mail.outbox  # the minute's sweep sends it, from another worker
    for _ in range(2):
        tasks.sweep_builds()
    [letter] = mail.outbox
    assert letter.to == ["fay@example.org"]
    assert letter.extra_headers["Auto-Submitted"] == "auto-generated"
    [html] = letter.alternatives
    for part in (letter.body, html.content):
        for said in (f"/datasets/{done.pk}/", "check it against its manifest", "You alone"):
            assert said in part


def test_the_mail_speaks_the_researchers_language(cohort, order):
    with user_scope(cohort.fay):
        choose_language(by=cohort.fay, language="pt-br")
    tasks.build_dataset(order().pk)
    tasks.sweep_builds()
    [letter] = mail.outbox
    assert letter.subject == "O seu conjunto de dados está pronto"
    assert '<html lang="pt-br">' in letter.alternatives[0].content


# -- failures ---------------------------------------------------------------------------------


def stored(settings):
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def failed(dataset):
    tasks.build_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.stored_as, dataset.sha256) == ("failed", "", "")
    return dataset.error


def test_a_lost_row_fails_the_build(cohort, order, monkeypatch, settings):
    counted = Delivery.expected_rows

    def one_more(delivery):
        return counted(delivery) | {"ceap": 99}

    monkeypatch.setattr(Delivery, "expected_rows", one_more)
    assert failed(order()) == "ceap: 3 of 99 rows were delivered."
    assert not stored(settings)
    assert owner("SELECT count(*) FROM exports_pseudonym") == [(0,)]


def test_a_missing_pseudonym_is_a_lost_row(cohort, order, monkeypatch):
    """What must be delivered is counted without the pseudonyms, so none can go missing unseen."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION registry_draw_pseudonyms() RETURNS void"
            " LANGUAGE sql SECURITY DEFINER AS ''"
        )
    assert failed(order()) == "participants: 0 of 3 rows were delivered."


@pytest.mark.parametrize("when", ["while writing", "while storing"])
def test_a_full_disk_fails_the_build(cohort, order, monkeypatch, settings, when):
    def full(*args):
        if when == "while storing":
            path = Path(settings.MEDIA_ROOT, args[1])
            path.parent.mkdir(parents=True)
            path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    if when == "while writing":
        monkeypatch.setattr(writers.CsvWriter, "write", full)
    else:
        monkeypatch.setattr(FileSystemStorage, "save", full)
    assert failed(order()) == "The file could not be written: No space left on device."
    assert not stored(settings)


@pytest.fixture
def many_rows(cohort):
    """The table of CEAP with far more rows than a connection holds, for as long as a block."""

    @contextmanager
    def multiplied():
        [(former,)] = owner("SELECT pg_get_viewdef('release_safe_harbor.ceap'::regclass)")
        put = "CREATE OR REPLACE VIEW release_safe_harbor.ceap WITH (security_barrier) AS "
        with connections["owner"].cursor() as cursor:
            many = f"SELECT v.* FROM ({former.rstrip(';')}) v, generate_series(1, 50000)"
            cursor.execute(put + many)
            yield
            cursor.execute(put + former)

    return multiplied


@pytest.mark.parametrize("writer", ["CsvWriter", "ParquetWriter"])
@pytest.mark.parametrize("problem", ["full", "cancelled"])
def test_a_failure_amid_a_table_ends_the_build_at_once_and_the_next_one_is_whole(
    cohort, order, monkeypatch, many_rows, writer, problem
):
    """PostgreSQL has rows to send still; the builder's session is used again."""
    dataset, tables = order(), []
    init, write = getattr(writers, writer).__init__, getattr(writers, writer).write

    def begin(self, path, table, types):
        tables.append(table.name)
        init(self, path, table, types)

    def stop(self, block, rows):
        if tables[-1] == "ceap" and rows:  # not the header
            if problem == "full":
                raise OSError(28, "No space left on device")
            Dataset.objects.filter(pk=dataset.pk).update(cancelled_by=cohort.fay)
        write(self, block, rows)

    said = []

    def work():
        with many_rows(), monkeypatch.context() as patched:
            patched.setattr(getattr(writers, writer), "__init__", begin)
            patched.setattr(getattr(writers, writer), "write", stop)
            patched.setattr("registry.exports.actions.progress.TOLD_EVERY", 0)
            said.append(failed(dataset))
        said.append(actions.build_now(request=dataset.request).state)
        connections.close_all()

    before = set(threading.enumerate())
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(60)
    reason = "The file could not be written: No space left on device."
    assert said == [reason if problem == "full" else "Fay Okafor cancelled the build.", "ready"]
    assert set(threading.enumerate()) == before


def test_an_error_of_the_database_quotes_no_row(cohort, order):
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP VIEW release_safe_harbor.ceap")
    assert failed(order()) == "The build stopped with an internal error (ProgrammingError)."


def test_no_error_and_no_log_quotes_what_it_met(cohort, order, monkeypatch, caplog):
    """The message of an error may hold a row: of a file, a database, a library."""

    def stumble(*args):
        raise ValueError(f"could not read “{CANARY}”")

    monkeypatch.setattr(writers.ParquetWriter, "write", stumble)
    dataset = order()
    assert failed(dataset) == "The build stopped with an internal error (ValueError)."
    assert f"Dataset {dataset.pk} failed: ValueError" in caplog.text
    assert CANARY not in caplog.text


def test_building_twice_changes_nothing(cohort, built):
    opened = built()
    tasks.build_dataset(opened.dataset.pk)
    again = Dataset.objects.get(pk=opened.dataset.pk)
    assert (again.state, again.stored_as) == ("ready", opened.dataset.stored_as)


def test_a_mail_that_did_not_go_goes_with_the_next_sweep(cohort, built, monkeypatch):
    def refuse(mail):
        raise ConnectionRefusedError

    built()
    with monkeypatch.context() as broken:
        broken.setattr(mail.EmailMultiAlternatives, "send", refuse)
        tasks.sweep_builds()
    assert Dataset.objects.filter(told_at=None).count() == 1
    tasks.sweep_builds()
    assert len(mail.outbox) == 1


def test_the_sweep_fails_a_build_whose_builder_died(cohort, order, settings):
    dataset = order()
    left = default_storage.save("datasets/half.zip", ContentFile(b"half"))
    Dataset.objects.filter(pk=dataset.pk).update(state="building", stored_as=left)
    with building._lock(dataset.pk):
        tasks.sweep_builds()
        assert Dataset.objects.get(pk=dataset.pk).state == "building"
    for _ in range(2):
        tasks.sweep_builds()
        dataset.refresh_from_db()
        assert (dataset.state, dataset.error) == ("failed", "The build was interrupted.")
    assert not stored(settings)


def test_a_task_given_again_after_a_death_fails_its_build(cohort, order):
    dataset = order()
    Dataset.objects.filter(pk=dataset.pk).update(state="building")
    assert failed(dataset) == "The build was interrupted."


def test_without_the_release_log_in_nothing_starts(cohort, order, monkeypatch):
    dataset = order()
    monkeypatch.setattr(building, "RELEASE", "nowhere")
    with pytest.raises(actions.ExportError, match="RELEASE_DATABASE_URL"):
        actions.build(dataset_id=dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == "queued"
    assert not transaction.get_connection().in_atomic_block
