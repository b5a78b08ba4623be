"""What the release roles can reach: the views of their profile, and only while a build runs."""

from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection, connections
from psycopg import sql

from registry.access.scope import user_scope
from registry.exports.models import Dataset
from registry.exports.profiles import PROFILES
from registry.exports.tables import tables
from registry.participants.models import Consent

from .. import owner


def database(alias):
    given = connections[alias].settings_dict
    return psycopg.connect(
        dbname=given["NAME"],
        user=given["USER"],
        password=given["PASSWORD"],
        host=given["HOST"],
        port=given["PORT"] or None,
        autocommit=True,
    )


@pytest.fixture
def release(cohort):
    """A session of the release log-in."""
    with database("release") as session:
        yield session


def every_relation():
    return owner.rows(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'S')"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        " AND n.nspname NOT LIKE 'pg_toast%%'"
    )


def readable(session):
    found = set()
    for schema, name in every_relation():
        try:
            session.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, name)))
        except psycopg.errors.InsufficientPrivilege:
            continue
        found.add(f"{schema}.{name}")
    return found


def test_the_log_in_itself_reads_nothing(release):
    assert readable(release) == set()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_profiles_role_reads_its_views_and_nothing_else(release, profile):
    release.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(profile.schema)))
    views = {f"{profile.schema}.{table.name}" for table in tables(profile)}
    assert readable(release) == views | {f"{profile.schema}.expected"}
    for refused in (
        "registry_prepare_dataset()",
        "registry_forget_dataset()",
        "registry_sharing_counts('{}', '{}', NULL, NULL, '{}')",
        "registry_disclose_dataset(1, 0, '{}')",
        "registry_disclosure_now(1, 1, 0)",
        "registry_record_people(NULL)",
        "registry_find_deletions()",
        "registry_pseudonyms_to_delete(1)",
        "release.told(8)",
        "release.take_back(now())",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            release.execute(f"SELECT {refused}")


def test_what_identifies_is_refused(release):
    release.execute("SET ROLE release_safe_harbor")
    for statement in (
        "SELECT * FROM participants_identity",
        "SELECT * FROM participants_participant",
        "SELECT * FROM exports_pseudonym",
        "SELECT * FROM exports_standin",
        "SELECT * FROM exports_included",
        "SELECT * FROM exports_deletion",
        "SELECT * FROM release.people",
        "SELECT * FROM release.stopped",
        "SELECT * FROM release.undone",
        "SELECT * FROM release.visits_visit",
        "SELECT * FROM audit_change",
        "DELETE FROM exports_dataset",
        "CREATE TABLE stolen (a int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            release.execute(statement)


@contextmanager
def prepared(session, dataset_id):
    """What a build does first; nothing of it stays."""
    with session.transaction(force_rollback=True):
        session.execute("SELECT set_config('registry.dataset', %s, true)", [str(dataset_id)])
        session.execute("SELECT registry_prepare_dataset()")
        yield


def rows_seen(session, profile="safe_harbor"):
    session.execute(f"SET LOCAL ROLE release_{profile}")
    seen = session.execute(f"SELECT * FROM release_{profile}.participants").fetchall()
    session.execute("RESET ROLE")
    return seen


def test_only_an_approved_dataset_that_is_being_built_is_prepared(release, built, order):
    """And it shows rows to its own profile, in its own transaction alone."""
    ready, queued = built().dataset, order()
    for number in ("", 0, ready.pk, queued.pk, 10**9):
        with (
            pytest.raises(psycopg.errors.NoDataFound),
            prepared(release, number),
        ):
            pass
    Dataset.objects.filter(pk=ready.pk).update(state="building")
    with prepared(release, ready.pk):
        assert len(rows_seen(release)) == 3
        assert rows_seen(release, "limited") == []
    with release.transaction():
        assert rows_seen(release) == []


def test_nothing_of_a_build_stays_in_the_tables_it_prepares(built):
    built()
    for table in ("release.people", "release.stopped", "release.undone"):
        assert owner.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_function_of_the_readers_own_sees_only_rows_that_leave(release, built, cohort):
    """Without a barrier the planner would run it before the filter."""
    dataset = built("limited").dataset
    Dataset.objects.filter(pk=dataset.pk).update(state="building")
    with user_scope(cohort.ana):
        Consent.objects.filter(screening=cohort.people[0].screening_id).update(allows_sharing=False)
    seen = []
    release.add_notice_handler(lambda notice: seen.append(notice.message_primary))
    with prepared(release, dataset.pk):
        release.execute("SET LOCAL ROLE release_limited")
        release.execute(
            "CREATE FUNCTION pg_temp.look(x text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001"
            " AS $$ BEGIN RAISE NOTICE 'seen %', x; RETURN true; END $$"
        )
        rows = release.execute(
            "SELECT * FROM release_limited.ceap WHERE pg_temp.look(ceap_clinical)"
        ).fetchall()
    assert len(rows) == len(seen) == 2


def test_the_web_role_reads_neither_pseudonyms_nor_views(cohort, built):
    built()
    for relation in (
        "exports_pseudonym",
        "exports_standin",
        "release.people",
        "release.visits_visit",
        "release_limited.ceap",
    ):
        with (
            pytest.raises(Exception, match="permission denied"),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SELECT * FROM {relation}")
    with pytest.raises(Exception, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("SELECT registry_prepare_dataset()")
    with pytest.raises(Exception, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("SELECT registry_disclose_dataset(1, 0, '{}')")


def test_migrating_again_keeps_pseudonyms_and_views(cohort, built):
    from django.core.management import call_command

    first = built()
    call_command("migrate", verbosity=0)
    later = built(project=first.dataset.request.project)
    assert first.text("participants") == later.text("participants")
