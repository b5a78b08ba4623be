"""The release views: what a dataset is read from, generated from the dictionary.

Schema ``release`` is the owner's alone: whose data may leave (``consenting``), and whose belong to
the dataset being built (``sharing``). Schemas ``release_safe_harbor`` and ``release_limited`` hold
one view a grain, and ``expected`` with the number of rows each must have, counted without the
pseudonyms. The profile's role reads these and nothing else.

A view names its dataset by the setting ``registry.dataset``. Only an approved dataset of the
view's profile that is being built counts, so a stray setting shows no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db import models
from django.utils.translation import gettext, gettext_noop, override
from psycopg import sql

from registry.access.walls import web_role
from registry.core import codebook
from registry.core.dictionary import ABSENCE_CODES, Kind
from registry.imaging.models import Reading, Xray
from registry.participants.models import Consent, Participant, Screening
from registry.ulcers.models import Ulcer
from registry.visits.crf import FORMS, Crf, FormKind, LogCrf, VisitCrf
from registry.visits.models import LIMBS, FormEntry, Visit

from .models import Dataset, DatasetRequest, Pseudonym, StandIn
from .profiles import EXAMINER_KEY, PROFILES, SMALLEST, Column, Profile

RELEASE_LOGIN = sql.Identifier("saphena_release")  # config/roles.sql
ABSENCES = "absence_codes"

SQL = sql.SQL


def named(model: type[models.Model]) -> sql.Identifier:
    return sql.Identifier("public", model._meta.db_table)


@dataclass(frozen=True)
class Table:
    """One file of a dataset. ``rows`` is its FROM clause over the ``people`` in it."""

    name: str
    text: str
    form: str  # the form by which a request asks for it; '' goes with every dataset
    keys: tuple[Column, ...]
    items: tuple[Column, ...]
    rows: sql.Composed

    @property
    def label(self) -> str:
        return gettext(self.text)

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.keys, *self.items)


def tables(profile: Profile) -> list[Table]:
    """Every table of a profile, in the order of a dataset. Labels are in the current language.

    Raises :class:`profiles.UnmappedError` when an item has no rule.
    """
    return [
        _table(
            profile,
            "participants",
            gettext_noop("Participants"),
            "",
            [],
            "JOIN {participant} t ON t.id = p.id JOIN {screening} u ON u.id = p.screening_id",
            {Participant: "t", Screening: "u"},
        ),
        _table(
            profile,
            "visits",
            gettext_noop("Visits"),
            "",
            [_visit("t")],
            "JOIN {visit} t ON t.participant_id = p.id",
            {Visit: "t"},
        ),
        *(_form(profile, kind) for kind in FORMS.values()),
        _table(
            profile,
            "readings",
            gettext_noop("Final grades of X-rays"),
            "xray",
            [_visit("v"), _limb("e")],
            _ENTRY + _FINAL_GRADE,
            {Reading: "t"},
            form="xray",
        ),
        _table(
            profile,
            "ulcers",
            gettext_noop("Ulcers"),
            "ulcers",
            [_ulcer("t")],
            "JOIN {ulcer} t ON t.participant_id = p.id",
            {Ulcer: "t"},
        ),
        _absences(profile),
    ]


def _form(profile: Profile, kind: FormKind) -> Table:
    model = kind.model
    of_ulcer = any(column.related_model is Ulcer for column in model._meta.concrete_fields)
    joins = _ENTRY + " JOIN {record} t ON t.entry_id = e.id"
    if issubclass(model, LogCrf):  # of no visit; its leg, where it has one, is an item
        keys = [_occurrence("e")]
    elif issubclass(model, VisitCrf):
        keys = [_visit("v")]
    else:
        keys = [_visit("v"), _limb("e")]
    if of_ulcer:
        joins += " JOIN {ulcer} k ON k.id = t.ulcer_id"
        keys.append(_ulcer("k"))
    name, text = kind.code, kind.text
    if of_ulcer:  # beside the table of the ulcers themselves
        name, text = "ulcer_assessments", gettext_noop("Assessments of ulcers")
    return _table(profile, name, text, kind.code, keys, joins, {model: "t"}, form=kind.code)


# A finished form: what is only a draft has no record here, and an entry in draft hides its record.
_ENTRY = (
    "JOIN {entry} e ON e.participant_id = p.id AND e.form = {form} AND e.state IN ({finished})"
    " LEFT JOIN {visit} v ON v.id = e.visit_id"
)
# imaging.rules.final_grade: a single independent reading stands, several have to agree first.
_FINAL_GRADE = (
    " JOIN {xray} x ON x.entry_id = e.id"
    " JOIN {reading} t ON t.xray_id = x.id AND t.mode = 'independent' AND NOT EXISTS"
    " (SELECT FROM {reading} o WHERE o.xray_id = x.id AND o.mode = 'independent' AND o.id <> t.id)"
)
_FINISHED = SQL(", ").join(sql.Literal(str(state)) for state in FormEntry.FINISHED)


def _table(
    profile: Profile,
    name: str,
    text: str,
    asked_as: str,
    keys: list[Column],
    joins: str,
    shown: dict[type[models.Model], str],
    form: str = "",
) -> Table:
    return Table(
        name,
        text,
        asked_as,
        (_participant(), *keys),
        tuple(_items(profile, shown)),
        SQL(joins).format(
            participant=named(Participant),
            screening=named(Screening),
            visit=named(Visit),
            entry=named(FormEntry),
            xray=named(Xray),
            reading=named(Reading),
            ulcer=named(Ulcer),
            record=named(next(iter(shown))),
            form=sql.Literal(form),
            finished=_FINISHED,
        ),
    )


def _items(profile: Profile, shown: dict[type[models.Model], str]) -> Iterator[Column]:
    for model, alias in shown.items():
        for entry in codebook.entries_of(model):
            yield from profile.columns(entry, alias)
        yield from profile.worked_out_columns(model.declaration.code)  # type: ignore[attr-defined]


# -- keys: what joins the tables --------------------------------------------------------------


def _key(name: str, label: str, column: str, alias: str) -> Column:
    # Ordered by bytes, so that the order is the same on every machine.
    text = SQL("NULLIF({}, '')::text COLLATE \"C\"").format(sql.Identifier(alias, column))
    return Column(name, gettext(label), Kind.TEXT, text)


def _participant() -> Column:
    return _key("participant", gettext_noop("Participant (pseudonym of this project)"), "code", "p")


def _visit(alias: str) -> Column:
    return _key("visit", gettext_noop("Visit"), "code", alias)


def _limb(alias: str) -> Column:
    plain = _key("limb", gettext_noop("Leg"), "limb", alias)
    return replace(plain, kind=Kind.CHOICE, choices={code: str(word) for code, word in LIMBS})


def _ulcer(alias: str) -> Column:
    return _key("ulcer", gettext_noop("Ulcer (label)"), "label", alias)


def _occurrence(alias: str) -> Column:
    return _key("occurrence", gettext_noop("Occurrence"), "occurrence", alias)


def _absences(profile: Profile) -> Table:
    """Codes instead of answers, of every item that itself leaves: no text, only known codes.

    Of one that is masked in some rows none, for a code would tell which rows those are.
    """
    parts = []
    for kind in FORMS.values():
        items = [
            entry.name
            for entry in codebook.entries_of(kind.model)
            if entry.item.absence
            and (columns := list(profile.columns(entry, "t")))
            and not any(column.masked for column in columns)
        ]
        if not items:
            continue
        parts.append(
            SQL(
                "SELECT t.entry_id, a.key, a.value FROM {record} t"
                " CROSS JOIN LATERAL jsonb_each_text(t.absent) a"
                " WHERE a.key IN ({items}) AND a.value IN ({codes})"
            ).format(
                record=named(kind.model),
                items=SQL(", ").join(map(sql.Literal, items)),
                codes=SQL(", ").join(map(sql.Literal, ABSENCE_CODES)),
            )
        )
    rows = SQL(
        "JOIN {entry} e ON e.participant_id = p.id AND e.state IN ({finished})"
        " LEFT JOIN {visit} v ON v.id = e.visit_id JOIN ({parts}) t ON t.entry_id = e.id"
    ).format(
        entry=named(FormEntry),
        finished=_FINISHED,
        visit=named(Visit),
        parts=SQL(" UNION ALL ").join(parts),
    )
    codes = {code: gettext(word) for code, word in ABSENCE_CODES.items()}
    code = _key("code", gettext_noop("Absence code"), "value", "t")
    return Table(
        ABSENCES,
        gettext_noop("Absence codes"),
        "",
        (
            _participant(),
            _visit("v"),
            _key("form", gettext_noop("Form"), "form", "e"),
            _limb("e"),
            _occurrence("e"),
            _key("item", gettext_noop("Item"), "key", "t"),
        ),
        (replace(code, kind=Kind.CHOICE, choices=codes),),
        rows,
    )


# -- statements ------------------------------------------------------------------------------


def before_migrate() -> Iterator[sql.Composable]:
    """Views block changes of the columns they show: down with them first."""
    for schema in ("release", *(profile.schema for profile in PROFILES.values())):
        yield SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))


def raise_walls() -> Iterator[sql.Composable]:
    """Views, functions, and the only grants that the release roles hold."""
    yield from before_migrate()
    yield SQL("CREATE SCHEMA release")
    yield CONSENTING.format(participant=named(Participant), consent=named(Consent))
    yield SHARING.format(
        dataset=named(Dataset),
        request=named(DatasetRequest),
        building=sql.Literal(str(Dataset.State.BUILDING)),
        approved=sql.Literal(str(DatasetRequest.State.APPROVED)),
    )
    with override("en"):
        for profile in PROFILES.values():
            yield from _profile(profile)
    yield DRAW.format(pseudonym=named(Pseudonym), draw=SQL("\n").join(_stand_ins()))
    yield SHARING_COUNTS.format(smallest=sql.Literal(SMALLEST))
    yield SQL("GRANT USAGE ON SCHEMA public TO {}").format(RELEASE_LOGIN)
    for function, caller in (
        ("registry_draw_pseudonyms()", RELEASE_LOGIN),
        ("registry_sharing_counts()", web_role()),
    ):
        yield SQL(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        yield SQL(f"GRANT EXECUTE ON FUNCTION {function} TO {{}}").format(caller)


def _profile(profile: Profile) -> Iterator[sql.Composable]:
    schema, role = sql.Identifier(profile.schema), sql.Identifier(profile.schema)
    yield SQL("CREATE SCHEMA {}").format(schema)
    yield SQL(
        "CREATE VIEW release.{people} AS SELECT p.*, n.code FROM release.sharing p"
        " JOIN {pseudonym} n ON n.project_id = p.project_id AND n.participant_id = p.id"
        " WHERE p.profile = {profile}"
    ).format(people=schema, pseudonym=named(Pseudonym), profile=sql.Literal(profile.code))
    expected = []
    for table in tables(profile):
        # A barrier: a function of the reader's own cannot look at rows before they are filtered.
        yield SQL(
            "CREATE VIEW {view} WITH (security_barrier) AS"
            " SELECT {columns} FROM release.{people} p {rows}"
        ).format(
            view=sql.Identifier(profile.schema, table.name),
            columns=SQL(", ").join(
                SQL("{} AS {}").format(column.sql, sql.Identifier(column.name))
                for column in table.columns
            ),
            people=schema,
            rows=table.rows,
        )
        expected.append(
            SQL(
                "SELECT {name} AS name, {form} AS form, count(*) AS rows FROM release.sharing p"
                " {rows} WHERE p.profile = {profile}"
                if table.name != ABSENCES
                else "SELECT {name}, e.form, count(*) FROM release.sharing p {rows}"
                " WHERE p.profile = {profile} GROUP BY e.form"
            ).format(
                name=sql.Literal(table.name),
                form=sql.Literal(table.form),
                rows=table.rows,
                profile=sql.Literal(profile.code),
            )
        )
    yield SQL("CREATE VIEW {} WITH (security_barrier) AS {}").format(
        sql.Identifier(profile.schema, "expected"), SQL(" UNION ALL ").join(expected)
    )
    yield SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role)
    yield SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, role)


# The newest consent decides; a withdrawal of sharing holds for good.
CONSENTING = SQL("""
CREATE VIEW release.consenting AS
SELECT p.id, p.site_id, p.screening_id, p.enrolled_on, p.arm, p.sex,
    coalesce((SELECT c.allows_sharing FROM {consent} c WHERE c.screening_id = p.screening_id
              ORDER BY c.signed_on DESC, c.id DESC LIMIT 1), false) AS allowed,
    EXISTS (SELECT FROM {consent} c WHERE c.screening_id = p.screening_id
            AND c.withdrawal_scope = 'stop_sharing') AS withdrawn
FROM {participant} p
""")

SHARING = SQL("""
CREATE VIEW release.sharing AS
SELECT p.id, p.site_id, p.screening_id, p.enrolled_on, p.sex, r.project_id, r.profile
FROM release.consenting p
JOIN {dataset} d ON d.id = NULLIF(current_setting('registry.dataset', true), '')::bigint
    AND d.state = {building}
JOIN {request} r ON r.id = d.request_id AND r.state = {approved} AND p.arm = ANY (r.arms)
WHERE p.allowed AND NOT p.withdrawn
""")

# Sixty-four random bits behind a letter, so that no spreadsheet takes it for a number.
DRAW = SQL("""
CREATE OR REPLACE FUNCTION registry_draw_pseudonyms() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO {pseudonym} (project_id, participant_id, code)
        SELECT p.project_id, p.id, 'P' || upper(left(drawn.hex, 12) || right(drawn.hex, 4))
        FROM release.sharing p
        -- Beside the row, or one draw would do for all.
        CROSS JOIN LATERAL (SELECT replace(gen_random_uuid()::text, '-', '') AS hex
                            WHERE p.id IS NOT NULL) drawn
        WHERE NOT EXISTS (SELECT FROM {pseudonym} n
                          WHERE n.project_id = p.project_id AND n.participant_id = p.id);
    {draw}
END $$
""")


def _stand_ins() -> Iterator[sql.Composable]:
    """Draw numbers in random order for the sites, readers and examiners that lack one."""
    examined = [kind.model for kind in FORMS.values()]
    keys = {
        "site": SQL("SELECT p.project_id, p.site_id::text AS key FROM release.sharing p"),
        "reader": SQL(
            "SELECT p.project_id, r.reader_id::text AS key FROM release.sharing p"
            " JOIN {entry} e ON e.participant_id = p.id JOIN {xray} x ON x.entry_id = e.id"
            " JOIN {reading} r ON r.xray_id = x.id"
        ).format(entry=named(FormEntry), xray=named(Xray), reading=named(Reading)),
        "examiner": SQL(" UNION ").join(_examiners(model) for model in examined),
    }
    for kind, source in keys.items():
        yield SQL("""
    INSERT INTO {stand_in} (project_id, kind, key, number)
        SELECT k.project_id, {kind}, k.key,
            (SELECT coalesce(max(s.number), 0) FROM {stand_in} s
             WHERE s.project_id = k.project_id AND s.kind = {kind})
            + row_number() OVER (ORDER BY gen_random_uuid())
        FROM (SELECT DISTINCT project_id, key FROM ({source}) every) k
        WHERE NOT EXISTS (SELECT FROM {stand_in} s WHERE s.project_id = k.project_id
                          AND s.kind = {kind} AND s.key = k.key);
        """).format(stand_in=named(StandIn), kind=sql.Literal(kind), source=source)


def _examiners(model: type[Crf]) -> sql.Composable:
    return SQL(
        "SELECT p.project_id, " + EXAMINER_KEY + " AS key FROM release.sharing p"  # noqa: S608
        " JOIN {entry} e ON e.participant_id = p.id JOIN {record} t ON t.entry_id = e.id"
        " WHERE {c} IS NOT NULL"
    ).format(
        site=SQL("p.site_id"), c=SQL("t.examiner"), entry=named(FormEntry), record=named(model)
    )


# Counts only, and no small ones: a page may ask, and no way of asking twice gives more.
SHARING_COUNTS = SQL("""
CREATE OR REPLACE FUNCTION registry_sharing_counts()
RETURNS TABLE (arm text, outcome text, people bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.arm::text,
        CASE WHEN c.withdrawn THEN 'withdrawn' WHEN c.allowed THEN 'shared' ELSE 'not_allowed' END,
        NULLIF(greatest(count(*), {smallest} - 1), {smallest} - 1)
    FROM release.consenting c GROUP BY 1, 2
$$
""")
