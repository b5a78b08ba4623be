"""The release views: what a dataset is read from.

Schema ``release`` is the owner's alone: the records as of the cut-off, and the ``people`` of the
dataset being built. Schemas ``release_safe_harbor`` and ``release_limited`` hold one view a table,
and ``expected`` with the number of rows each must have, counted without the pseudonyms. The
profile's role reads these and nothing else.

A dataset is named by the setting ``registry.dataset``, and only an approved one that is being built
counts. All that is prepared for it is gone at the end of its transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import override
from psycopg import sql

from registry.access.walls import web_role
from registry.crfs.models import Ceap
from registry.imaging.models import Reading
from registry.participants.models import Consent, Participant
from registry.visits.crf import FORMS
from registry.visits.models import FormEntry, Visit
from registry.visits.schedule import BASELINE

from . import as_of, inclusion, sharing_counts, worked_out
from .disclosure import functions as disclosure
from .models import Dataset, DatasetRequest, Pseudonym, StandIn
from .profiles import EXAMINER_KEY, PROFILES, Profile
from .tables import ABSENCES, Table, tables

RELEASE_LOGIN = sql.Identifier("saphena_release")  # config/roles.sql

SQL = sql.SQL


def before_migrate() -> Iterator[sql.Composable]:
    """Views block changes of the columns they show: down with them first."""
    for schema in ("release", *(profile.schema for profile in PROFILES.values())):
        yield SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))


def raise_walls() -> Iterator[sql.Composable]:
    """Views, functions, and the only grants that the release roles hold."""
    yield from before_migrate()
    yield SQL("CREATE SCHEMA release")
    yield from as_of.statements()
    yield from worked_out.statements()
    yield CONSENTING.format(
        view=SQL("consenting"),
        participant=as_of.as_of(Participant),
        consent=as_of.as_of(Consent),
    )
    yield CONSENTING.format(
        view=SQL("consenting_now"),
        participant=as_of.live(Participant),
        consent=as_of.live(Consent),
    )
    for view, of in (("classes_at_baseline", as_of.as_of), ("classes_now", as_of.live)):
        yield CLASSES.format(
            view=SQL(view),
            ceap=of(Ceap),
            form=sql.Literal(Ceap.declaration.code),
            entry=of(FormEntry),
            visit=of(Visit),
            baseline=sql.Literal(BASELINE),
        )
    yield PEOPLE
    with override("en"):
        for profile in PROFILES.values():
            yield from _profile(profile)
    yield PREPARE.format(
        dataset=as_of.live(Dataset),
        request=as_of.live(DatasetRequest),
        pseudonym=as_of.live(Pseudonym),
        building=sql.Literal(str(Dataset.State.BUILDING)),
        approved=sql.Literal(str(DatasetRequest.State.APPROVED)),
        left_out=sharing_counts.left_out("classes_at_baseline"),
        with_stand_ins=SQL(", ").join(
            sql.Literal(profile.code) for profile in PROFILES.values() if profile.stands_in
        ),
        stand_ins=SQL("").join(_stand_ins()),
    )
    yield FORGET
    yield from sharing_counts.statements()
    yield from inclusion.statements()
    yield from disclosure.statements()
    yield SQL("GRANT USAGE ON SCHEMA public TO {}").format(RELEASE_LOGIN)
    for function, caller in (
        ("registry_prepare_dataset()", RELEASE_LOGIN),
        ("registry_forget_dataset()", RELEASE_LOGIN),
        ("registry_disclose_dataset(integer, numeric, bigint[])", RELEASE_LOGIN),
        (f"registry_sharing_counts({sharing_counts.ARGUMENTS})", web_role()),
        ("registry_disclosure_now(bigint, integer, numeric)", web_role()),
        ("registry_record_people(bigint)", RELEASE_LOGIN),
        ("registry_find_deletions()", web_role()),
        ("registry_pseudonyms_to_delete(bigint)", web_role()),
    ):
        yield SQL(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        yield SQL(f"GRANT EXECUTE ON FUNCTION {function} TO {{}}").format(caller)


def _profile(profile: Profile) -> Iterator[sql.Composable]:
    schema, role = sql.Identifier(profile.schema), sql.Identifier(profile.schema)
    yield SQL("CREATE SCHEMA {}").format(schema)
    expected = []
    for table, of_live in zip(tables(profile), tables(profile, as_of.live), strict=True):
        # A barrier: a function of the reader's own cannot look at rows before they are filtered.
        yield SQL("CREATE VIEW {} WITH (security_barrier) AS {}").format(
            sql.Identifier(profile.schema, table.name),
            _either(profile, _rows(of_live), _rows(table)),
        )
        grouped = "GROUP BY e.form" if table.name == ABSENCES else ""
        expected.append(_either(profile, _number(of_live), _number(table), grouped))
    yield SQL("CREATE VIEW {} WITH (security_barrier) AS {}").format(
        sql.Identifier(profile.schema, "expected"),
        SQL(" UNION ALL ").join(SQL("({})").format(one) for one in expected),
    )
    yield SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role)
    yield SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, role)


def _either(
    profile: Profile, of_live: sql.Composed, of_then: sql.Composed, grouped: str = ""
) -> sql.Composed:
    """Rows read of the live tables while nothing was undone, else of those as of the cut-off.

    The live ones take a fifth less of a large table's time, and hardly anything changes between
    the cut-off of a new dataset and its reading. Which of the two is asked of the people, who are
    few: a condition of the whole query would go through each of its rows. OFFSET keeps the barrier
    of the view up: the planner takes a plain union apart, and with it the barrier.
    """
    return SQL(
        "{of_live} WHERE p.profile = (SELECT {profile} WHERE NOT EXISTS ({undone})) {grouped}"
        " UNION ALL "
        "{of_then} WHERE p.profile = (SELECT {profile} WHERE EXISTS ({undone})) {grouped} OFFSET 0"
    ).format(
        of_live=of_live,
        of_then=of_then,
        profile=sql.Literal(profile.code),
        undone=SQL("SELECT FROM release.undone"),
        grouped=SQL(grouped),
    )


def _rows(table: Table) -> sql.Composed:
    columns = SQL(", ").join(
        SQL("{} AS {}").format(column.sql, sql.Identifier(column.name)) for column in table.columns
    )
    return SQL("SELECT {} FROM release.people p {} {}").format(columns, table.rows, table.joins)


def _number(table: Table) -> sql.Composed:
    """How many rows a table must have, and by which form a request asks for them."""
    form = SQL("e.form") if table.name == ABSENCES else sql.Literal(table.form)
    return SQL("SELECT {} AS name, {} AS form, count(*) AS rows FROM release.people p {}").format(
        sql.Literal(table.name), form, table.rows
    )


# The newest consent decides; a withdrawal of sharing holds for good.
CONSENTING = SQL("""
CREATE VIEW release.{view} AS
SELECT p.id, p.site_id, p.screening_id, p.enrolled_on, p.arm, p.sex, p.age_at_enrolment AS age,
    coalesce(c.allowed, false) AS allowed, coalesce(c.withdrawn, false) AS withdrawn
FROM {participant} p LEFT JOIN (
    SELECT screening_id, (array_agg(allows_sharing ORDER BY signed_on DESC, id DESC))[1] AS allowed,
        bool_or(withdrawal_scope = 'stop_sharing') AS withdrawn
    FROM {consent} GROUP BY screening_id
) c ON c.screening_id = p.screening_id
""")

# Ordered by bytes, so that the order of pseudonyms is the same on every machine. What follows them
# is filled by disclosure control: before, nobody's sex, age, period and site are shown.
PEOPLE = SQL("""
CREATE UNLOGGED TABLE release.people (
    id bigint PRIMARY KEY, site_id bigint NOT NULL, screening_id bigint NOT NULL,
    enrolled_on date NOT NULL, sex text NOT NULL, age smallint NOT NULL,
    project_id bigint NOT NULL, profile text NOT NULL, code text COLLATE "C" NOT NULL,
    class integer, outcomes jsonb, shown_sex text, shown_age int4range, shown_period text,
    shown_site bigint
) WITH (autovacuum_enabled = false)
""")

# Of the worse leg, on the scale of 1994, which every version of CEAP maps to.
CLASSES = SQL("""
CREATE VIEW release.{view} AS
SELECT e.participant_id AS id, max(t.clinical_1994) AS class
FROM {ceap} t JOIN {entry} e ON e.id = t.entry_id AND e.form = {form}
    JOIN {visit} v ON v.id = e.visit_id
WHERE v.code = {baseline} GROUP BY e.participant_id
""")

# Who shared at the cut-off and still does, each with a pseudonym, and the random numbers of sites,
# readers and examiners. Tells how many have stopped since.
#
# A pseudonym is 64 bits of a hash under a secret of 244 random bits that this call alone knows: as
# good as drawn one by one, and faster. A letter stands before them, so that no spreadsheet takes
# them for a number. NOT IN is looked up in a hash.
PREPARE = SQL("""
CREATE OR REPLACE FUNCTION registry_prepare_dataset() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    asked record;
    stopped bigint;
    secret text := gen_random_uuid()::text || gen_random_uuid()::text;
BEGIN
    SELECT d.cut_off, r.* INTO STRICT asked
        FROM {dataset} d JOIN {request} r ON r.id = d.request_id AND r.state = {approved}
        WHERE d.id = NULLIF(current_setting('registry.dataset', true), '')::bigint
        AND d.state = {building} AND d.cut_off IS NOT NULL;
    PERFORM release.take_back(asked.cut_off);
    TRUNCATE release.people, release.stopped;
    INSERT INTO release.people
        SELECT p.id, p.site_id, p.screening_id, p.enrolled_on, p.sex, p.age, asked.project_id,
            asked.profile, coalesce(n.code, 'P' || upper(left(
                encode(sha256(convert_to(secret || p.id, 'UTF8')), 'hex'), 16)))
        FROM release.consenting p LEFT JOIN {pseudonym} n
            ON n.project_id = asked.project_id AND n.participant_id = p.id
        WHERE {left_out} IS NULL;
    WITH gone AS (
        DELETE FROM release.people p WHERE EXISTS (SELECT FROM release.undone)
            AND NOT EXISTS (SELECT FROM release.consenting_now n
            WHERE n.id = p.id AND n.allowed AND NOT n.withdrawn)
        RETURNING p.id
    ) INSERT INTO release.stopped SELECT id FROM gone;
    GET DIAGNOSTICS stopped = ROW_COUNT;
    INSERT INTO {pseudonym} (project_id, participant_id, code)
        SELECT p.project_id, p.id, p.code FROM release.people p
        WHERE p.id NOT IN (
            SELECT n.participant_id FROM {pseudonym} n WHERE n.project_id = asked.project_id);
    ANALYZE release.people;
    IF asked.profile IN ({with_stand_ins}) THEN
        {stand_ins}
    END IF;
    RETURN stopped;
END $$
""")

FORGET = SQL("""
CREATE OR REPLACE FUNCTION registry_forget_dataset() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    TRUNCATE release.people, release.stopped, release.undone
$$
""")


def _stand_ins() -> Iterator[sql.Composable]:
    """Draw numbers in random order for the sites, readers and examiners that lack one.

    Of readers and examiners for all there are, which takes one look at each table: whose records
    are in the dataset does not matter.
    """
    keys = {
        "site": SQL("SELECT p.site_id::text AS key FROM release.people p"),
        "reader": SQL("SELECT t.reader_id::text AS key FROM {} t").format(as_of.as_of(Reading)),
        "examiner": SQL(" UNION ").join(
            SQL(
                "SELECT " + EXAMINER_KEY + " AS key FROM {record} p"  # noqa: S608
                " WHERE {form} = ANY (asked.forms) AND {c} IS NOT NULL GROUP BY p.site_id, {c}"
            ).format(
                c=SQL("p.examiner"), record=as_of.as_of(kind.model), form=sql.Literal(kind.code)
            )
            for kind in FORMS.values()
        ),
    }
    for kind, source in keys.items():
        yield SQL("""
        INSERT INTO {stand_in} (project_id, kind, key, number)
            SELECT asked.project_id, {kind}, k.key,
                (SELECT coalesce(max(s.number), 0) FROM {stand_in} s
                 WHERE s.project_id = asked.project_id AND s.kind = {kind})
                + row_number() OVER (ORDER BY gen_random_uuid())
            FROM (SELECT DISTINCT key FROM ({source}) every) k
            WHERE NOT EXISTS (SELECT FROM {stand_in} s WHERE s.project_id = asked.project_id
                              AND s.kind = {kind} AND s.key = k.key);
        """).format(stand_in=as_of.live(StandIn), kind=sql.Literal(kind), source=source)
