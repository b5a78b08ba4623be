"""A registry's worth of participants, loaded by the owner with set-based SQL.

The loaded rows stand for everybody else: those whose pages are measured are entered through the
same actions as in the clinic. While they load, the tables have no indexes, no foreign keys and no
triggers of ours; all come back before anything is measured. History stays empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql

from registry.core.dictionary import items_of
from registry.crfs.models import Laboratory
from registry.participants.rules import study_number
from registry.visits.crf import FORMS, LimbCrf, VisitCrf
from registry.visits.schedule import CURRENT

SITES = 50
# One site holds a fifth of all, so that its lists fill their pages in the small registry too.
LARGEST_SHARE = 5
FIRST = 1_000_000  # first key of what is loaded
RECORDS = "participants_screening participants_consent participants_participant".split()
RECORDS += "visits_visit visits_formentry quality_dataquery imaging_film imaging_reading".split()
RECORDS += ["audit_signature"]
RECORDS += [kind.model._meta.db_table for kind in FORMS.values()]
COLUMNS = {field.column for field in Laboratory._meta.concrete_fields}

# What a column that must be filled gets when it is not said.
FILLERS = {
    "boolean": "false",
    "jsonb": "'{}'",
    "date": "current_date",
    "timestamp with time zone": "now()",
    "character varying": "''",
    "text": "''",
    "ARRAY": "'{}'",
}


def load(
    connection: psycopg.Connection[Any],
    people: int,
    by: int,
    today: date,
    fill: Callable[[Any, int], None] | None = None,
) -> None:
    """Load ``people`` participants at :data:`SITES` sites, entered by the user ``by``.

    ``fill(cursor, by)`` fills their visits: with a little of everything, or :func:`laboratory`.
    """
    cursor = connection.cursor()
    cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
    cursor.execute("SET LOCAL work_mem = '256MB'")
    sites = _sites(cursor)
    with _bare(cursor, RECORDS):
        _persons(cursor, people, sites, today)
        _participants(cursor, by)
        _visits(cursor, today)
        (fill or _everything)(cursor, by)
    for table in RECORDS:
        cursor.execute(
            sql.SQL(
                "SELECT setval(pg_get_serial_sequence({name}, 'id'), max(id)) FROM {table}"
            ).format(name=sql.Literal(table), table=sql.Identifier(table))
        )
    cursor.execute("UPDATE access_site SET last_number = %s", [people + 1000])
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM (ANALYZE)")


def _everything(cursor: Any, by: int) -> None:
    _entries(cursor, by)
    _records(cursor)
    _films(cursor, by)
    _questions(cursor, by)
    _signatures(cursor, by)


def laboratory(cursor: Any, by: int) -> None:
    """A laboratory form at every visit, six of seven analytes measured."""
    _insert(
        cursor,
        "visits_formentry",
        {
            "participant_id": "participant_id",
            "visit_id": "id",
            "visit_code": "code",
            "site_id": "site_id",
            "form": "'laboratory'",
            "state": "'complete'",
            "revision": "1",
        },
        f"FROM visits_visit WHERE participant_id >= {FIRST} ORDER BY id",
    )
    values = {"entry_id": "e.id", "site_id": "e.site_id", "done_on": "v.target_on"}
    values |= {"sampled_on": "v.target_on", "bacterial_culture": "'negative'"}
    for number, (name, item) in enumerate(items_of(Laboratory).items()):
        if not item.possible or item.derived:
            continue
        low, high = item.possible
        luck = f"(e.id * 7919 + {number} * 104729) % 1000"
        value = f"round(({low} + {luck} * ({high} - {low})::numeric / 1000), 3)"
        said = {name: value, f"{name}_typed": f"{value}::text", f"{name}_comparator": "'='"}
        said |= {f"{name}_ref_low": f"{low}", f"{name}_ref_high": f"{high}"}
        if item.unit and f"{name}_unit" in COLUMNS:
            said[f"{name}_unit"] = f"'{item.unit}'"
        values |= {
            column: f"CASE WHEN e.id % 7 <> {number} THEN {one} END"
            for column, one in said.items()
            if column in COLUMNS
        }
    _insert(
        cursor,
        "crfs_laboratory",
        values,
        "FROM visits_formentry e JOIN visits_visit v ON v.id = e.visit_id"
        f" WHERE e.participant_id >= {FIRST} ORDER BY e.id",
    )


def _sites(cursor: Any) -> list[tuple[int, str]]:
    """The sites (key, prefix), the largest first: Tokyo, of the cast."""
    cursor.execute("ALTER TABLE access_site DISABLE TRIGGER USER")
    cursor.execute(
        "INSERT INTO access_site (prefix, name, time_zone, language, sending_hour, date_order,"
        " last_number) SELECT 'S' || to_char(n, 'FM00'), 'Site ' || n,"
        " (ARRAY['Asia/Tokyo', 'Europe/London', 'America/Los_Angeles'])[n %% 3 + 1], 'en', 7, '', 0"
        " FROM generate_series(1, %s) n",
        [SITES - 2],
    )
    cursor.execute("ALTER TABLE access_site ENABLE TRIGGER USER")
    cursor.execute("ALTER TABLE participants_consentversion DISABLE TRIGGER USER")
    cursor.execute(
        "INSERT INTO participants_consentversion (site_id, code, in_force_from, mandatory)"
        " SELECT id, '1.0', '2020-01-01', true FROM access_site"
        " WHERE id NOT IN (SELECT site_id FROM participants_consentversion)"
    )
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    cursor.execute("ALTER TABLE participants_consentversion ENABLE TRIGGER USER")
    cursor.execute("SELECT id, prefix FROM access_site ORDER BY prefix <> 'TKY', id")
    return list(cursor.fetchall())


@contextmanager
def _bare(cursor: Any, tables: list[str]) -> Iterator[None]:
    """Tables without our triggers, foreign keys, unique constraints and indexes, for a while."""
    kinds = ["f", "u"]
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = ANY(%s::regclass[]) AND contype = ANY(%s) ORDER BY contype DESC",
        [tables, kinds],
    )
    constraints = cursor.fetchall()
    for table in tables:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for table, name, _definition in constraints:
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = ANY(%s::regclass[]) AND NOT indisprimary",
        [tables],
    )
    indexes = cursor.fetchall()
    for name, _definition in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _name, definition in indexes:
        cursor.execute(definition)
    for table in tables:
        cursor.execute(f"ANALYZE {table}")
    for table, name, definition in constraints:
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
    for table in tables:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _insert(cursor: Any, table: str, values: Mapping[str, str], source: str) -> None:
    """INSERT … SELECT of ``values`` (column → expression); what must be filled is filled."""
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
        " AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'"
        " AND is_generated = 'NEVER'",
        [table],
    )
    filled = {name: FILLERS[kind] for name, kind in cursor.fetchall() if name not in values}
    filled |= values
    columns = ", ".join(f'"{name}"' for name in filled)
    cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {', '.join(filled.values())} {source}")


def _persons(cursor: Any, people: int, sites: list[tuple[int, str]], today: date) -> None:
    """Everybody, in a table of their own: number, site, study number, day enrolled, arm."""
    cursor.execute(
        "CREATE TEMP TABLE person (n int PRIMARY KEY, site bigint, number text, enrolled date,"
        " arm text) ON COMMIT DROP"
    )
    with cursor.copy("COPY person FROM STDIN") as copy:
        for n in range(people):
            turn = 0 if n % LARGEST_SHARE == 0 else 1 + n % (len(sites) - 1)
            site, prefix = sites[turn]
            enrolled = today - timedelta(days=20 + n * 7919 % 1800)
            arm = "control" if n % 13 == 0 else "cvi"
            copy.write_row((n, site, study_number(prefix, 1000 + n), enrolled, arm))
    cursor.execute("ANALYZE person")


def _participants(cursor: Any, by: int) -> None:
    key, who = f"{FIRST} + n", {"site_id": "site", "by_id": str(by)}
    _insert(
        cursor,
        "participants_screening",
        who | {"id": key, "screened_on": "enrolled", "arm": "arm", "reasons": "'[]'"},
        "FROM person",
    )
    _insert(
        cursor,
        "participants_consent",
        who
        | {
            "id": key,
            "screening_id": key,
            "version_id": "(SELECT v.id FROM participants_consentversion v WHERE v.site_id = site)",
            "signed_on": "enrolled",
            "allows_images": "true",
            "allows_sharing": "true",
            "allows_contact": "true",
            # One in forty-one has withdrawn from collection.
            "withdrawn_on": "CASE WHEN n % 41 = 7 THEN current_date - 10 END",
            "withdrawal_scope": "CASE WHEN n % 41 = 7 THEN 'stop_collection' END",
        },
        "FROM person",
    )
    _insert(
        cursor,
        "participants_participant",
        who
        | {
            "id": key,
            "screening_id": key,
            "study_number": "number",
            "arm": "arm",
            "sex": "CASE n % 3 WHEN 0 THEN 'male' ELSE 'female' END",
            "age_at_enrolment": "40 + n % 45",
            "enrolled_on": "enrolled",
        },
        "FROM person ORDER BY n",
    )


def _visits(cursor: Any, today: date) -> None:
    """The plan's visits and two or three unscheduled ones: 6 % overdue, 2 % missed."""
    cursor.execute(
        "CREATE TEMP TABLE planned (turn int, code text, arm text, day int, before int, after int)"
        " ON COMMIT DROP"
    )
    extra = [(number, 120 * number, 0, 0) for number in (1, 2, 3)]
    for arm in ("cvi", "control"):
        rows = [
            (visit.code, visit.day, visit.before, visit.after) for visit in CURRENT.for_arm(arm)
        ]
        rows += [(f"UNS-{number}", day, before, after) for number, day, before, after in extra]
        cursor.executemany(
            "INSERT INTO planned VALUES (%s, %s, %s, %s, %s, %s)",
            [(turn, code, arm, *days) for turn, (code, *days) in enumerate(rows)],
        )
    luck = "(n * 7919 + turn * 104729) % 1000"
    now = f"'{today}'::date"
    closed, begun = f"enrolled + day + after < {now}", f"enrolled + day - before <= {now}"
    came = (
        f"({closed} AND ({luck} >= 80 OR code LIKE 'UNS%'))"
        f" OR ({begun} AND NOT {closed} AND {luck} < 500)"
    )
    _insert(
        cursor,
        "visits_visit",
        {
            "participant_id": f"{FIRST} + n",
            "site_id": "site",
            "code": "code",
            "plan_version": f"'{CURRENT.version}'",
            "target_on": "enrolled + day",
            "opens_on": "enrolled + day - before",
            "closes_on": "enrolled + day + after",
            "attended_on": f"CASE WHEN {came} THEN enrolled + day - before END",
            "missed_because": f"CASE WHEN {closed} AND {luck} >= 60 AND {luck} < 80"
            " AND code NOT LIKE 'UNS%' THEN 'moved' ELSE '' END",
        },
        "FROM person JOIN planned USING (arm)"
        f" WHERE code NOT LIKE 'UNS%' OR {closed} ORDER BY n, turn",
    )
    cursor.execute("ANALYZE visits_visit")


def _entries(cursor: Any, by: int) -> None:
    """Every form at baseline, the first two at later visits; one in fifty is a draft."""
    cursor.execute(
        "CREATE TEMP TABLE place (code text, arm text, form text, limb text) ON COMMIT DROP"
    )
    for arm in ("cvi", "control"):
        for visit in CURRENT.visits:
            asked = CURRENT.forms(visit.code, arm)
            for one in asked if visit.code == "BL" else asked[:2]:
                for limb in _limbs(FORMS[one.form].model):
                    cursor.execute(
                        "INSERT INTO place VALUES (%s, %s, %s, %s)",
                        [visit.code, arm, one.form, limb],
                    )
    draft = "(v.attended_on IS NOT NULL AND (v.id + length(form)) % 50 = 0)"
    _insert(
        cursor,
        "visits_formentry",
        {
            "participant_id": "v.participant_id",
            "visit_id": "v.id",
            "visit_code": "v.code",
            "site_id": "v.site_id",
            "form": "form",
            "limb": "limb",
            "state": f"CASE WHEN v.attended_on IS NULL THEN 'empty' WHEN {draft} THEN 'draft'"
            " ELSE 'complete' END",
            "draft": f"CASE WHEN {draft} THEN '{{}}'::jsonb END",
            "draft_by_id": f"CASE WHEN {draft} THEN {by} END",
            "draft_at": f"CASE WHEN {draft}"
            " THEN now() - v.id * 7919 % 3000000 * interval '1 second' END",
            "revision": "0",
        },
        f"FROM visits_visit v JOIN person ON v.participant_id = {FIRST} + n"
        " JOIN place ON place.code = split_part(v.code, '-', 1) AND place.arm = person.arm"
        " ORDER BY v.id",
    )
    cursor.execute("ANALYZE visits_formentry")


def _limbs(model: type[Any]) -> list[str]:
    if issubclass(model, LimbCrf):
        return ["right", "left"]
    # Forms of an ulcer or of the log have places of their own.
    return [""] if issubclass(model, VisitCrf) else []


def _records(cursor: Any) -> None:
    """A record for each complete entry, with little in it."""
    said = {"xray": {"performed": "true", "acquired_on": "v.attended_on"}}
    for kind in FORMS.values():
        if not _limbs(kind.model) or "ulcer" in {f.name for f in kind.model._meta.fields}:
            continue
        _insert(
            cursor,
            kind.model._meta.db_table,
            {"entry_id": "e.id", "site_id": "e.site_id", "done_on": "v.attended_on"}
            | said.get(kind.code, {}),
            "FROM visits_formentry e JOIN visits_visit v ON v.id = e.visit_id"
            f" WHERE e.form = '{kind.code}' AND e.state = 'complete'"
            f" AND e.participant_id >= {FIRST} ORDER BY e.id",
        )


def _films(cursor: Any, by: int) -> None:
    """A film of each study; a tenth has no reading yet."""
    _insert(
        cursor,
        "imaging_film",
        {
            "xray_id": "id",
            "site_id": "site_id",
            "sha256": "md5(id::text)",
            "width": "1",
            "height": "1",
            "by_id": str(by),
            "to_check": "false",
        },
        "FROM imaging_xray WHERE performed",
    )
    _insert(
        cursor,
        "imaging_reading",
        {
            "xray_id": "id",
            "site_id": "site_id",
            "reader_id": str(by),
            "read_no": "1",
            "mode": "'independent'",
            "quality": "'good'",
            "calcification": "'absent'",
        },
        "FROM imaging_xray WHERE performed AND id % 10 <> 0",
    )


def _questions(cursor: Any, by: int) -> None:
    """A question about every third laboratory form, in each state."""
    _insert(
        cursor,
        "quality_dataquery",
        {
            "site_id": "r.site_id",
            "participant_no": "e.participant_id",
            "label": "'crfs.laboratory'",
            "key": "r.id",
            "item": "'calcium_total'",
            "rule": "'expected'",
            "message": "'Total calcium 4.5 mmol/L is unusual.'",
            "audience": "'site'",
            "source": "'rule'",
            "state": "(ARRAY['new', 'new', 'answered', 'closed'])[r.id % 4 + 1]",
            "opened_by_id": str(by),
            "opened_at": "now() - r.id % 3000 * interval '1 hour'",
        },
        "FROM crfs_laboratory r JOIN visits_formentry e ON e.id = r.entry_id"
        f" WHERE r.id % 3 = 0 AND e.participant_id >= {FIRST}",
    )


def _signatures(cursor: Any, by: int) -> None:
    """Every finished visit of more than two months ago is signed, half of them are locked."""
    _insert(
        cursor,
        "audit_signature",
        {
            "id": "v.id",
            "site_id": "v.site_id",
            "label": "'visits.visit'",
            "key": "v.id",
            "by_id": str(by),
            "at": "now()",
        },
        f"FROM visits_visit v WHERE v.participant_id >= {FIRST}"
        " AND v.attended_on < current_date - 60 AND NOT EXISTS (SELECT FROM visits_formentry e"
        " WHERE e.visit_id = v.id AND e.state <> 'complete')",
    )
    cursor.execute("ANALYZE audit_signature")
    cursor.execute(
        "UPDATE visits_formentry e SET signature_id = s.id,"
        " locked_at = CASE WHEN s.id % 2 = 0 THEN s.at END,"
        " locked_by_id = CASE WHEN s.id % 2 = 0 THEN s.by_id END"
        " FROM audit_signature s WHERE s.id = e.visit_id"
    )
    cursor.execute(
        "UPDATE visits_visit v SET to_sign = true WHERE attended_on IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM audit_signature WHERE id = v.id)"
        " AND NOT EXISTS (SELECT FROM visits_formentry WHERE visit_id = v.id"
        " AND state <> 'complete')"
    )
