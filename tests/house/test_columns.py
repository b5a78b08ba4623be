"""Every column is classified, and every table really has the walls that the design promises."""

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import connections, models, transaction

from registry.access.models import SiteRecord
from registry.audit.models import Change, Look, Signature, Voiding
from registry.core.dictionary import Kind, kept
from registry.quality.models import QueryMessage
from registry.recall.models import Bounce, Snooze
from registry.visits.crf import Crf
from registry.visits.models import FormEntry

# Tables without a site of their own. A later one says ``exempt_because = "…"`` in its class.
EXEMPT = {
    "access.site": "the sites themselves: their names are no secret",
    "access.user": "people work at several sites or at none",
    "access.membership": "says who works where, and is read to find out the scope",
    "access.apitoken": "belongs to a user and is read before there is a scope",
    "audit.change": "has a policy of its own: read by site, written by nobody",
}
APPEND_ONLY = (Change, Look, Signature, Voiding, QueryMessage, Bounce, Snooze)


def registry_models():
    return [model for model in apps.get_models() if model.__module__.startswith("registry.")]


def records():
    return [model for model in registry_models() if issubclass(model, SiteRecord)]


# -- columns -----------------------------------------------------------------------------------


def test_every_column_of_a_sites_record_has_a_privacy_class():
    columns = [
        column
        for model in records()
        for column in model._meta.concrete_fields
        if not column.primary_key
    ]
    assert len(columns) > 150
    assert [str(column) for column in columns if not hasattr(column, "item")] == []


def test_a_column_without_a_privacy_class_would_stop_the_build(monkeypatch):
    monkeypatch.delattr(FormEntry._meta.get_field("draft"), "item")
    found = {(one.id, one.msg) for one in run_checks()}
    assert ("saphena.E001", "visits.FormEntry.draft has no privacy class.") in found


def test_a_privacy_class_is_one_of_four():
    with pytest.raises(ValueError, match="secret"):
        kept(models.TextField(), "secret")


def test_free_text_and_files_never_leave_unless_said():
    assert [
        f"{model._meta.label}.{column.name}"
        for model in records()
        for column in model._meta.concrete_fields
        if getattr(column, "item", None)
        and column.item.kind in (Kind.TEXT, Kind.FILE)
        and column.item.privacy not in ("withhold", "group")
        and not column.item.companion_of
        and not column.item.pattern  # a code of a fixed form holds no free text
    ] == []


def test_every_other_table_says_why_it_has_no_site():
    unsaid = [
        f"{model._meta.label}: make it a SiteRecord, or say in its class why not (exempt_because)"
        for model in registry_models()
        if not issubclass(model, SiteRecord)
        and model._meta.managed
        and model._meta.label_lower not in EXEMPT
        and not getattr(model, "exempt_because", "")
    ]
    assert unsaid == []
    assert [name for name in EXEMPT if not apps.get_model(name)] == []


# -- walls in the database ---------------------------------------------------------------------


def missing_walls(connection):
    """What the catalogue of the database lacks, one line each."""
    web = connections["default"].settings_dict["USER"]
    problems = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relrowsecurity, relforcerowsecurity, pg_get_userbyid(relowner)"
            " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
        tables = {name: facts for name, *facts in cursor.fetchall()}
        cursor.execute(
            "SELECT tablename, policyname, roles, qual, cmd FROM pg_policies"
            " WHERE schemaname = 'public'"
        )
        policies = {(table, name): facts for table, name, *facts in cursor.fetchall()}
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger"
            " WHERE NOT tgisinternal"
        )
        triggers = {(table, name): enabled for table, name, enabled in cursor.fetchall()}
        rights = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
        held = {}
        for table in tables:
            cursor.execute(
                "SELECT " + ", ".join(f"has_table_privilege(%s, %s, '{one}')" for one in rights),
                [web, f"public.{table}"] * len(rights),
            )
            held[table] = {one for one, yes in zip(rights, cursor.fetchone(), strict=True) if yes}

    for table, (_, _, owner) in tables.items():
        if owner == web:
            problems.append(f"{table}: the web role owns it")
        if more := held[table] & {"TRUNCATE", "REFERENCES", "TRIGGER"}:
            problems.append(f"{table}: the web role holds {', '.join(sorted(more))}")

    for model in [*records(), Change]:
        table = model._meta.db_table
        secured, forced, owner = tables[table]
        setting = getattr(model, "scope_setting", "sites")
        by_site = policies.get((table, "by_site"), ([], "", ""))
        wanted = {
            "row-level security": secured,
            "forced row-level security": forced,
            "the policy by_site of the web role": by_site[0] == [web],
            f"a policy that reads registry.{setting}": f"'registry.{setting}'" in by_site[1],
            "the policy of the owner": policies.get((table, "owner"), ([],))[0] == [owner],
            "no other policy": {name for at, name in policies if at == table}
            == {"by_site", "owner"},
        }
        if model in APPEND_ONLY:
            wanted["the append-only trigger, ALWAYS"] = triggers.get((table, "append_only")) == "A"
        else:
            wanted["the history trigger"] = triggers.get((table, "z_record_change")) in ("O", "A")
        if getattr(model, "site_from", ""):
            wanted["the site trigger"] = triggers.get((table, "a_fill_site")) in ("O", "A")
        if issubclass(model, Crf):
            wanted["the lock trigger"] = triggers.get((table, "b_refuse_locked")) in ("O", "A")
        grants = getattr(model, "web_grants", "SELECT, INSERT, UPDATE, DELETE")
        wanted[f"grants of {grants} alone"] = held[table] == set(grants.split(", "))
        problems += [f"{table}: {what} is missing" for what, there in wanted.items() if not there]
    return problems


def test_every_table_has_its_walls(db):
    assert len(records()) > 15
    assert missing_walls(connections["default"]) == []


BREAKS = {
    "ALTER TABLE crfs_ceap DISABLE ROW LEVEL SECURITY": "crfs_ceap: row-level security",
    "ALTER TABLE crfs_ceap NO FORCE ROW LEVEL SECURITY": "crfs_ceap: forced",
    "DROP POLICY by_site ON visits_visit": "visits_visit: the policy by_site",
    "DROP POLICY owner ON visits_visit": "visits_visit: the policy of the owner",
    "CREATE POLICY more ON visits_visit USING (true)": "visits_visit: no other policy",
    "DROP TRIGGER z_record_change ON crfs_vcss": "crfs_vcss: the history trigger",
    "ALTER TABLE crfs_vcss DISABLE TRIGGER z_record_change": "crfs_vcss: the history trigger",
    "DROP TRIGGER a_fill_site ON crfs_vcss": "crfs_vcss: the site trigger",
    "DROP TRIGGER b_refuse_locked ON crfs_vcss": "crfs_vcss: the lock trigger",
    "ALTER TABLE audit_change ENABLE TRIGGER append_only": "audit_change: the append-only",
    "GRANT TRUNCATE ON audit_look TO saphena_web": "audit_look: the web role holds TRUNCATE",
    "GRANT REFERENCES ON access_user TO saphena_web": "access_user: the web role holds REFER",
    "GRANT INSERT ON audit_change TO saphena_web": "audit_change: grants of SELECT alone",
    "REVOKE SELECT ON audit_change FROM saphena_web": "audit_change: grants of SELECT alone",
}


def test_each_wall_torn_down_is_noticed(committed):
    owner = connections["owner"]
    for statement, problem in BREAKS.items():
        with transaction.atomic(using="owner"), owner.cursor() as cursor:
            cursor.execute(statement)
            found = missing_walls(owner)
            assert any(one.startswith(problem) for one in found), (statement, found)
            transaction.set_rollback(True, using="owner")
    assert missing_walls(owner) == []
