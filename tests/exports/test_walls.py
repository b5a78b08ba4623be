"""What the release roles can reach: the views of their profile, and only while a build runs."""

import psycopg
import pytest
from django.db import connection, connections
from psycopg import sql

from registry.access.scope import user_scope
from registry.exports.models import Dataset
from registry.exports.profiles import PROFILES
from registry.exports.release_views import tables
from registry.participants.models import Consent


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
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'S')"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            " AND n.nspname NOT LIKE 'pg_toast%%'"
        )
        return cursor.fetchall()


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
    for refused in ("registry_draw_pseudonyms()", "registry_sharing_counts()"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            release.execute(f"SELECT {refused}")


def test_what_identifies_is_refused(release):
    release.execute("SET ROLE release_safe_harbor")
    for statement in (
        "SELECT * FROM participants_identity",
        "SELECT * FROM participants_participant",
        "SELECT * FROM exports_pseudonym",
        "SELECT * FROM exports_standin",
        "SELECT * FROM release.sharing",
        "SELECT * FROM audit_change",
        "DELETE FROM exports_dataset",
        "CREATE TABLE stolen (a int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            release.execute(statement)


def rows_seen(session, dataset_id, table="participants", profile="safe_harbor"):
    with session.transaction():
        session.execute("SELECT set_config('registry.dataset', %s, true)", [str(dataset_id)])
        session.execute(f"SET LOCAL ROLE release_{profile}")
        return session.execute(f"SELECT * FROM release_{profile}.{table}").fetchall()


@pytest.mark.slow
def test_a_stray_setting_shows_no_row(release, built, order):
    """Only an approved dataset that is being built, of the view's own profile, shows rows."""
    ready, queued = built().dataset, order()
    for number in ("", 0, ready.pk, queued.pk, 10**9):
        assert rows_seen(release, number) == []
    Dataset.objects.filter(pk=ready.pk).update(state="building")
    assert len(rows_seen(release, ready.pk)) == 3
    assert rows_seen(release, ready.pk, profile="limited") == []


def test_a_function_of_the_readers_own_sees_only_rows_that_leave(release, built, cohort):
    """Without a barrier the planner would run it before the filter."""
    dataset = built("limited").dataset
    Dataset.objects.filter(pk=dataset.pk).update(state="building")
    with user_scope(cohort.ana):
        Consent.objects.filter(screening=cohort.people[0].screening_id).update(allows_sharing=False)
    release.execute("SET ROLE release_limited")
    try:
        release.execute(
            "CREATE FUNCTION pg_temp.look(x text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001"
            " AS $$ BEGIN RAISE NOTICE 'seen %', x; RETURN true; END $$"
        )
    except psycopg.errors.InsufficientPrivilege:
        return  # no temporary objects either: as good
    seen = []
    release.add_notice_handler(lambda notice: seen.append(notice.message_primary))
    release.execute("SELECT set_config('registry.dataset', %s, false)", [str(dataset.pk)])
    rows = release.execute(
        "SELECT * FROM release_limited.participants WHERE pg_temp.look(participant_sex)"
    ).fetchall()
    assert len(rows) == len(seen) == 2


def test_the_web_role_reads_neither_pseudonyms_nor_views(cohort, built):
    built()
    for relation in (
        "exports_pseudonym",
        "exports_standin",
        "release.sharing",
        "release_limited.ceap",
    ):
        with (
            pytest.raises(Exception, match="permission denied"),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SELECT * FROM {relation}")
    with pytest.raises(Exception, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("SELECT registry_draw_pseudonyms()")


@pytest.mark.slow
def test_migrating_again_keeps_pseudonyms_and_views(cohort, built):
    from django.core.management import call_command

    first = built()
    call_command("migrate", verbosity=0)
    later = built(project=first.dataset.request.project)
    assert first.text("participants") == later.text("participants")
