"""History: everything is written, nothing is changed, and no lock is slipped past."""

import threading

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from psycopg import sql

from config import local
from config.embedded import Postgres
from registry.access.scope import user_scope, with_reason
from registry.audit.models import Change, Look
from registry.crfs.models import Ceap
from registry.participants.models import Identity, Participant
from registry.visits.actions import save_draft
from registry.visits.attesting import lock_visit
from registry.visits.models import FormEntry, Visit

from .. import build, people

APPEND_ONLY = ("audit_change", "audit_look")
CHANGES = ("UPDATE {} SET label = 'x'", "DELETE FROM {}", "TRUNCATE {}")


def changes_of(record):
    label = record._meta.label_lower
    return list(Change.objects.filter(label=label, key=record.pk).order_by("id"))


def raw(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


# -- written -----------------------------------------------------------------------------------


def test_an_insert_names_who_what_and_when(cast):
    mine = build.participant(cast.ana)
    with user_scope(cast.ana):
        (change,) = changes_of(mine)
    assert (change.action, change.by, change.site) == ("insert", cast.ana, cast.tokyo)
    assert change.changes["sex"] == [None, "female"]
    assert change.changes["study_number"] == [None, mine.study_number]
    assert change.transaction_at <= change.at
    assert change.transaction_no > 0


@pytest.mark.parametrize("how", ["save", "queryset", "bulk", "raw"])
def test_an_update_holds_old_and_new_whoever_wrote_it(cast, how):
    mine = build.participant(cast.ana)
    with user_scope(cast.hiro, request="r-1"), with_reason("read from the referral letter"):
        mine = Participant.objects.get(pk=mine.pk)
        if how == "save":
            mine.sex = "male"
            mine.save()
        elif how == "queryset":
            Participant.objects.filter(pk=mine.pk).update(sex="male")
        elif how == "bulk":
            mine.sex = "male"
            Participant.objects.bulk_update([mine], ["sex"])
        else:
            raw("UPDATE participants_participant SET sex = 'male' WHERE id = %s", mine.pk)
        change = changes_of(mine)[-1]
    assert change.changes == {"sex": ["female", "male"]}
    assert (change.action, change.by, change.request) == ("update", cast.hiro, "r-1")
    assert change.reason == "read from the referral letter"


def test_a_delete_holds_what_was_there(cast):
    mine = build.participant(cast.ana)
    with user_scope(cast.ana):
        entry = FormEntry.objects.create(participant=mine, form="ceap", limb="left")
        key = entry.pk
        FormEntry.objects.filter(pk=key).delete()
        change = Change.objects.get(label="visits.formentry", key=key, action="delete")
    assert change.changes["form"] == ["ceap", None]
    assert change.changes["limb"] == ["left", None]


def test_every_row_of_a_bulk_write_is_there(cast):
    mine = build.participant(cast.ana)
    with user_scope(cast.ana):
        before = Change.objects.count()
        touched = Visit.objects.filter(participant=mine).update(booked_place="Room 4")
        assert Change.objects.count() - before == touched == 9


def test_a_write_that_changes_nothing_leaves_nothing(cast):
    mine = build.participant(cast.ana)
    with user_scope(cast.ana):
        Participant.objects.get(pk=mine.pk).save()
        assert len(changes_of(mine)) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda: Visit.objects.update(booked_place="Room 4"),
        lambda: FormEntry.objects.create(form="ceap", participant=Participant.objects.get()),
        lambda: raw("DELETE FROM visits_formentry"),
    ],
)
def test_a_write_without_a_user_is_refused(cast, write):
    build.participant(cast.ana)
    with user_scope(cast.ana):
        raw("SELECT set_config('registry.user', '', true)")
        with pytest.raises(DatabaseError, match="named user"), transaction.atomic():
            write()


def test_drafts_and_keys_never_enter_history(cast):
    mine = build.participant(cast.ana, person=build.person(family_name="Kanarie"))
    visit = build.attended(cast.ana, mine)
    with user_scope(cast.ana):
        entry = visit.entries.get(form="ceap", limb="right")
        save_draft(by=cast.ana, entry=entry, raw={"clinical": ["canary"]}, revision=0)
        assert FormEntry.objects.get(pk=entry.pk).draft == {"clinical": ["canary"]}
        for change in Change.objects.all():
            assert "canary" not in str(change.changes)
            assert "Kanarie" not in str(change.changes)
        identity = Identity.objects.get(participant=mine)
        columns = {name for change in changes_of(identity) for name in change.changes}
        assert not columns & {"wrapped_key", *Identity.unrecorded}


def test_the_web_role_cannot_write_history_itself(cast):
    with user_scope(cast.ana):
        for model, statement in [
            (Change, "INSERT INTO {} DEFAULT VALUES"),
            *((model, statement) for model in (Change, Look) for statement in CHANGES),
        ]:
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                raw(statement.format(model._meta.db_table))


def test_the_function_that_writes_history_is_nobodys_to_call(cast):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_function_privilege(current_user, 'registry_record_change()', 'EXECUTE')"
        )
        assert cursor.fetchone() == (False,)


# -- append-only -------------------------------------------------------------------------------


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only_holds_for_the_owner(committed, table):
    people.make_cast()
    with connections["owner"].cursor() as cursor:
        for statement in CHANGES:
            with pytest.raises(DatabaseError, match="append-only"):
                cursor.execute(statement.format(table))


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only_holds_for_a_superuser_in_replica_mode(committed, table):
    people.make_cast()
    with superuser() as server:
        server.execute("SET session_replication_role = replica")
        assert server.execute("SELECT count(*) FROM audit_change").fetchone()[0] > 10
        for statement in CHANGES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                server.execute(sql.SQL(statement).format(sql.Identifier(table)))


def superuser():
    """The superuser of the embedded server; another server's is not ours to have."""
    folder = local.local_folder()
    given = connection.settings_dict
    keys = local.load_secrets(folder) if (folder / "secrets.json").exists() else {}
    if keys.get("web") != given["PASSWORD"]:
        pytest.skip("the database is not embedded")
    return Postgres(local.find_home(folder), keys).connect(given["NAME"])


# -- locks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda right, left: Ceap.objects.filter(entry=right).update(clinical="C5"),
        lambda right, left: Ceap.objects.filter(entry=right).delete(),
        lambda right, left: Ceap.objects.create(entry=left, clinical="C5"),
        lambda right, left: raw("UPDATE crfs_ceap SET entry_id = %s", left.pk),
    ],
    ids=["update", "delete", "insert", "move"],
)
def test_a_locked_form_refuses_every_write(cast, write):
    visit = build.signed(cast.ana, build.participant(cast.ana))
    with user_scope(cast.ana):
        right, left = visit.entries.filter(form="ceap").order_by("-limb")
        lock_visit(by=cast.ana, visit=visit)
        with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
            write(right, left)


def in_thread(step):
    """Run ``step`` in a thread with connections of its own; gives the thread and its errors."""
    errors = []

    def run():
        try:
            step()
        except DatabaseError as error:
            errors.append(str(error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def test_a_lock_waits_for_a_write_under_way(committed):
    cast = people.make_cast()
    visit = build.signed(cast.ana, build.participant(cast.ana))
    with user_scope(cast.ana):
        # Not a signed value, or there would be no signature left to lock.
        Ceap.objects.filter(entry__visit=visit, entry__limb="right").update(confirmed={"x": "1"})

        def lock():
            with user_scope(cast.ana):
                lock_visit(by=cast.ana, visit=visit)

        locking, errors = in_thread(lock)
        locking.join(0.7)
        assert locking.is_alive()
    locking.join(20)
    assert errors == []
    with user_scope(cast.ana):
        locked = Change.objects.filter(label="visits.formentry", changes__has_key="locked_at")
        written = Change.objects.filter(label="crfs.ceap", changes__has_key="confirmed")
        assert locked.count() == visit.entries.count()
        assert written.latest("id").transaction_at < locked.earliest("id").at
        with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
            Ceap.objects.filter(entry__visit=visit).update(clinical="C6")


def test_a_write_waits_for_a_lock_under_way_and_is_refused(committed):
    cast = people.make_cast()
    visit = build.signed(cast.ana, build.participant(cast.ana))
    with user_scope(cast.ana):
        lock_visit(by=cast.ana, visit=visit)

        def write():
            with user_scope(cast.ana):
                Ceap.objects.filter(entry__visit=visit).update(clinical="C6")

        writing, errors = in_thread(write)
        writing.join(0.7)
        assert writing.is_alive()
    writing.join(20)
    assert len(errors) == 1
    assert "locked" in errors[0]
    with user_scope(cast.ana):
        assert not Ceap.objects.filter(clinical="C6").exists()
