"""What is in a copy of Tokyo's own data, opened without the registry."""

import hashlib
import threading
from datetime import timedelta

from django.apps import apps
from django.db import connections
from django.utils import timezone

from registry.access.actions import choose_language
from registry.access.models import Membership, SiteRecord, User
from registry.access.roles import Role
from registry.access.scope import scope, user_scope
from registry.audit.models import Look
from registry.exports.own import package
from registry.exports.own.tables import LEFT_OUT, names
from registry.participants.actions import correct_identity
from registry.participants.models import Identity
from registry.quality.actions import raise_query
from registry.quality.models import DataQuery
from registry.visits import attesting
from registry.visits.models import FormEntry, Visit

from .. import build, owner
from ..imaging import films
from .conftest import ENROLLED, filled
from .own import PERSON, with_files

HOSTILE = '=cmd|" /C calc",\r\n"007"; 日本語\tあ\n'


def test_the_copy_proves_itself(cohort, take):
    own = take()
    assert own.copy.sha256 == hashlib.sha256(own.data).hexdigest()
    assert own.copy.size == len(own.data)
    assert len(set(own.tables)) == len(own.tables)
    proven = own.manifest["sha256"]
    assert set(proven) == set(own.files) - {"manifest.json"}
    assert {name: own.sha256(name) for name in proven} == proven
    for row in own.manifest["tables"]:
        assert row["expected"] == row["delivered"] == len(own.table(row["table"]))
        assert own.files[row["file"]].endswith(b"\r\n")
    assert own.copy.rows_done == own.copy.rows_expected


def test_counts_are_those_of_the_site(cohort, take):
    own = take()
    site = cohort.tokyo.pk
    for label, table in names().items():
        model = apps.get_model(label)
        [(rows,)] = owner.rows(
            f"SELECT count(*) FROM {model._meta.db_table} WHERE site_id = %s", site
        )
        assert len(own.table(table)) == rows, table
    [(touched,)] = owner.rows(
        "SELECT count(*) FROM audit_change c, jsonb_object_keys(c.changes)"
        " WHERE site_id = %s AND label = ANY(%s)",
        site,
        list(names()),
    )
    assert len(own.table("changes")) == touched > 100


def test_every_record_of_the_rooms_below_goes_out_or_says_why_not():
    below = [
        config.label
        for config in apps.get_app_configs()
        if config.name.startswith("registry.")
        and config.label not in ("recall", "exports", "reports", "desk", "api", "simulation")
    ]
    records = {
        model._meta.label_lower
        for app in below
        for model in apps.get_app_config(app).get_models()
        if issubclass(model, SiteRecord)
    }
    assert records - {model._meta.label_lower for model in LEFT_OUT} == set(names())


def test_the_codebook_describes_every_column(cohort, take):
    own = take()
    described = own.codebook
    for table in own.tables:
        columns = own.columns(table)
        assert columns == [row["column"] for row in described if row["table"] == table]
        assert len(set(columns)) == len(columns), table
    assert all(row["label"] for row in described)
    for row in described:
        signs = row["column"].endswith("_comparator")  # = is one of them
        if row["kind"] in ("choice", "score") and row["choices"] and not signs:
            codes = {pair.partition("=")[0] for pair in row["choices"].split("|")}
            found = {one[row["column"]] for one in own.table(row["table"])} - {""}
            assert found <= codes, row


def test_its_canaries_arrive_exactly(cohort, take):
    someone = filled(cohort.ana, person=build.person(**PERSON))
    with user_scope(cohort.ana):
        Visit.objects.filter(participant=someone, code="M03").update(booked_place=HOSTILE[:120])
        visit = Visit.objects.get(participant=someone, code="BL")
        record = visit.entries.get(form="ceap", limb="right").record()
        type(record).objects.filter(pk=record.pk).update(examiner=HOSTILE)
        FormEntry.objects.filter(pk=visit.entries.get(form="xray", limb="left").pk).update(
            draft={"note": HOSTILE}, state="draft"
        )
    own = take()
    of = {"study_number": someone.study_number}
    [identity] = [row for row in own.table("identities") if row.items() >= of.items()]
    told = {name: str(value) for name, value in PERSON.items()}
    assert identity.items() >= told.items()
    [visit] = [row for row in own.table("visits") if row["booked_place"]]
    assert (visit["booked_place"], visit["visit"]) == (HOSTILE[:120], "M03")
    [ceap] = [row for row in own.table("ceap") if row.items() >= of.items()]
    assert (ceap["examiner"], ceap["visit"], ceap["leg"]) == (HOSTILE, "BL", "right")
    assert any(row["new"] == HOSTILE for row in own.table("changes"))
    [draft] = [row for row in own.table("form_entries") if row["draft"]]
    assert "日本語" in draft["draft"]


def test_no_row_of_another_site_is_in_it(cohort, take):
    theirs = filled(cohort.ben, person=build.person(**PERSON))
    own = take()
    assert b"Wren" not in own.everything
    for secret in (theirs.study_number, "RIO", "Ben Souza", "0000471199"):
        assert secret.encode() not in own.everything, secret


def test_dates_absences_and_words_are_as_entered(cohort, take):
    own = take()
    labs = own.table("laboratory")
    assert {row["absent"] for row in labs} == {'{"crp": "not_done"}'}
    assert {row["done_on"] for row in labs} == {str(ENROLLED + timedelta(days=2))}
    people = own.table("participants")
    assert {row["arm_words"] for row in people} == {"chronic venous insufficiency"}
    assert {row["onset_on"] for row in own.table("ulcers")} == {"2024-02"}
    assert {row["location_words"] for row in own.table("ulcers")} == {"medial malleolus"}
    assert {row["by"] for row in people} == {"Ana Sato"}


def test_tables_join(cohort, take):
    own = take()
    entries = {row["record"] for row in own.table("form_entries")}
    assert {row["entry_record"] for row in own.table("ceap")} <= entries
    known = {
        table: {row.get("record") for row in own.table(table)}
        for table in own.tables
        if table != "changes"
    }
    for row in own.table("changes"):
        assert row["table_record"] in known[row["table"]]


def test_films_and_files_come_by_study_number(cohort, take):
    someone = cohort.people[0]
    film, kept = with_files(cohort)
    with user_scope(cohort.ana):
        content = film.original.read(), film.picture.read(), kept.stored.read()
    own = take()
    folder = f"files/{someone.study_number}"
    [row] = own.table("films")
    assert row["original"] == f"{folder}/film-{film.pk}.png"
    [file] = own.table("attachments")
    assert file["original_name"] == kept.original_name
    got = own.files[row["original"]], own.files[row["picture"]], own.files[file["stored"]]
    assert got == content
    assert own.manifest["files"] == {"expected": 3, "delivered": 3}
    with user_scope(cohort.hiro):
        looks = Look.objects.filter(by=cohort.hiro).values_list("label", flat=True)
        assert {film._meta.label_lower, kept._meta.label_lower} <= set(looks)


def test_who_read_a_film_is_not_told_to_the_site(cohort, take):
    with user_scope(cohort.ana):
        visit = Visit.objects.get(participant=cohort.people[0], code="BL")
    films.graded(cohort.ana, cohort.chen, visit, "left")
    own = take()
    assert len(own.table("readings")) == 3
    assert b"Chen Wei" not in own.everything
    assert "reader" not in own.table("readings")[0]
    read = [row for row in own.table("changes") if row["table"] == "readings"]
    assert read
    assert {row["by"] for row in read} == {""}


def test_who_grades_films_gets_no_readings(cohort, take):
    with scope(User.objects.system("migration"), []):
        Membership.objects.create(user=cohort.hiro, role=Role.READER)
    hiro = User.objects.get(pk=cohort.hiro.pk)
    own = take(hiro)
    assert "readings" not in own.tables
    assert not [row for row in own.table("changes") if row["table"] == "readings"]
    assert "you grade films yourself" in own.files["README.txt"].decode()


def test_queries_for_the_data_manager_stay_with_him(cohort, take):
    someone = cohort.people[0]
    with user_scope(cohort.ines):
        query = raise_query(
            by=cohort.ines, record=someone, participant_no=someone.pk, item="sex", text=HOSTILE
        )
        hidden = DataQuery.objects.create(
            site=cohort.tokyo,
            participant_no=someone.pk,
            label=someone._meta.label_lower,
            key=someone.pk,
            message="Geheimnis",
            audience="data_manager",
            opened_by=cohort.ines,
        )
    own = take()
    [asked] = [row for row in own.table("queries") if row["record"] == str(query.pk)]
    assert (asked["study_number"], asked["table"], asked["item"]) == (
        someone.study_number,
        "participants",
        "sex",
    )
    assert asked["table_record"] == str(someone.pk)
    [turn] = [r for r in own.table("query_messages") if r["query_record"] == str(query.pk)]
    assert (turn["text"], turn["by"]) == (HOSTILE.strip(), "Ines Marques")
    assert b"Geheimnis" not in own.everything
    assert not [r for r in own.table("queries") if r["record"] == str(hidden.pk)]


def test_signatures_name_what_was_signed(cohort, take):
    someone = build.participant(cohort.ana)
    visit = build.completed(cohort.ana, someone)
    with user_scope(cohort.hiro):
        attesting.sign_visit(by=cohort.hiro, visit=visit, meaning="reviewed")
    [row] = take().table("signatures")
    assert (row["study_number"], row["visit"], row["name"]) == (
        someone.study_number,
        "BL",
        "Hiro Mori",
    )
    assert "complete and correct" in row["meaning_words"]


def test_an_erased_identity_is_blank_and_a_corrected_one_is_new(cohort, take):
    corrected, erased = cohort.people[:2]
    with user_scope(cohort.ana):
        correct_identity(
            by=cohort.ana,
            participant=corrected,
            person=build.person(**PERSON),
            reason="misspelt",
        )
        Identity.objects.filter(participant=erased).update(
            wrapped_key=None, erased_at=timezone.now()
        )
    own = take()
    rows = {row["study_number"]: row for row in own.table("identities")}
    assert rows[corrected.study_number]["family_name"] == PERSON["family_name"]
    assert rows[erased.study_number]["family_name"] == ""
    assert rows[erased.study_number]["erased_at"].endswith("Z")
    told = [row for row in own.table("changes") if row["table"] == "identities"]
    assert {row["new"] for row in told if row["item"] == "family_name"} == {"…"}
    assert "misspelt" in {row["reason"] for row in told}


def test_every_look_at_an_identity_is_logged(cohort, take):
    take()
    with user_scope(cohort.hiro):
        identities = set(Identity.objects.values_list("pk", flat=True))
        looks = Look.objects.filter(by=cohort.hiro, label="participants.identity")
        assert set(looks.values_list("key", flat=True)) == identities
        assert set(looks.values_list("what", flat=True)) == {"copy of the site's data"}
        assert Look.objects.filter(by=cohort.hiro, label="exports.sitecopy").count() == 1


def test_one_moment_is_read(cohort, ask, take, monkeypatch):
    """Who is enrolled while the copy is written is in none of its tables."""
    write = package.Package.write

    def enrol_first(self, *args):
        newcomer.append(_apart(lambda: build.participant(cohort.ana).study_number))
        return write(self, *args)

    newcomer = []
    monkeypatch.setattr(package.Package, "write", enrol_first)
    own = take()
    assert newcomer[0].encode() not in own.everything


def _apart(do):
    """What ``do`` answers on a connection of its own."""
    answer = []

    def run():
        answer.append(do())
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return answer[0]


def test_labels_and_readme_speak_the_askers_language(cohort, take):
    with user_scope(cohort.hiro):
        choose_language(by=cohort.hiro, language="pt-br")
    own = take(User.objects.get(pk=cohort.hiro.pk))
    assert "medial malleolus" not in own.table("ulcers")[0]["location_words"]
    assert own.table("ulcers")[0]["location"] == "medial_malleolus"
    assert "ESTA CÓPIA IDENTIFICA PACIENTES" in own.files["README.txt"].decode()
