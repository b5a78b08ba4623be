"""The tables of a dataset, one a grain, generated from the dictionary.

A table names the rows it is read from and each of its columns as SQL over them; ``release_views``
makes a view of it. Rows are read ``of`` the sources as of the dataset's cut-off (``as_of``), or of
the live ones, which is the faster way to the same while nothing has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace

from django.db import models
from django.utils.translation import gettext, gettext_noop
from psycopg import sql

from registry.core import codebook
from registry.core.dictionary import ABSENCE_CODES, Kind
from registry.imaging.models import Reading, Xray
from registry.participants.models import Participant, Screening
from registry.ulcers.models import Ulcer
from registry.visits.crf import FORMS, FormKind, LogCrf, VisitCrf
from registry.visits.models import LIMBS, FormEntry, Visit

from .as_of import as_of, live
from .profiles import Column, Profile

ABSENCES = "absence_codes"

SQL = sql.SQL

Source = Callable[[type[models.Model]], sql.Identifier]  # where the rows of a model are read


@dataclass(frozen=True)
class Table:
    """One table of a dataset. ``rows`` is its FROM clause over the ``people`` in it.

    Its columns may join more, but neither add rows nor lose any.
    """

    name: str
    text: str
    form: str  # the form by which a request asks for it; '' goes with every dataset
    keys: tuple[Column, ...]
    items: tuple[Column, ...]
    rows: sql.Composed
    models: tuple[type[models.Model], ...] = ()  # whose items its columns are

    @property
    def label(self) -> str:
        return gettext(self.text)

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.keys, *self.items)

    @property
    def joins(self) -> sql.Composed:
        """What its columns read beside the rows, each once."""
        joins: list[sql.Composable] = []
        for column in self.columns:
            if column.join not in joins:
                joins.append(column.join)
        return SQL("").join(joins)


def tables(profile: Profile, of: Source = as_of) -> list[Table]:
    """Every table of a profile, in the order of a dataset. Labels are in the current language.

    Raises :class:`profiles.UnmappedError` when an item has no rule.
    """
    return [
        _table(
            profile,
            of,
            "participants",
            gettext_noop("Participants"),
            "",
            [],
            "JOIN {participant} t ON t.id = p.id JOIN {screening} u ON u.id = p.screening_id",
            {Participant: "t", Screening: "u"},
        ),
        _table(
            profile,
            of,
            "visits",
            gettext_noop("Visits"),
            "",
            [_visit("t")],
            "JOIN {visit} t ON t.participant_id = p.id",
            {Visit: "t"},
        ),
        *(_form(profile, of, kind) for kind in FORMS.values()),
        _table(
            profile,
            of,
            "grades",
            gettext_noop("Final grades of X-rays"),
            "xray",
            [_visit_of_entry(of), _limb("e")],
            _ENTRY + _READINGS + _FINAL,
            {Reading: "t"},
            form="xray",
        ),
        _table(
            profile,
            of,
            "readings",
            gettext_noop("Readings of X-rays"),
            "xray",
            [_visit_of_entry(of), _limb("e"), _reading()],
            _ENTRY + _READINGS,
            {Reading: "t"},
            form="xray",
        ),
        _table(
            profile,
            of,
            "ulcers",
            gettext_noop("Ulcers"),
            "ulcers",
            [_ulcer("t")],
            "JOIN {ulcer} t ON t.participant_id = p.id",
            {Ulcer: "t"},
        ),
        _absences(profile, of),
    ]


def tables_for(profile: Profile, forms: Container[str]) -> list[Table]:
    """Those that a request of ``forms`` takes."""
    return [table for table in tables(profile) if not table.form or table.form in forms]


def _form(profile: Profile, of: Source, kind: FormKind) -> Table:
    model = kind.model
    of_ulcer = any(column.related_model is Ulcer for column in model._meta.concrete_fields)
    joins = _ENTRY + " JOIN {record} t ON t.entry_id = e.id"
    if issubclass(model, LogCrf):  # of no visit; its leg, where it has one, is an item
        keys = [_occurrence("e")]
    elif issubclass(model, VisitCrf):
        keys = [_visit_of_entry(of)]
    else:
        keys = [_visit_of_entry(of), _limb("e")]
    if of_ulcer:
        joins += " JOIN {ulcer} k ON k.id = t.ulcer_id"
        keys.append(_ulcer("k"))
    name, text = kind.code, kind.text
    if of_ulcer:  # beside the table of the ulcers themselves
        name, text = "ulcer_assessments", gettext_noop("Assessments of ulcers")
    return _table(profile, of, name, text, kind.code, keys, joins, {model: "t"}, form=kind.code)


# A record is a finished form (ADR 2): what is only a draft has none.
_ENTRY = "JOIN {entry} e ON e.participant_id = p.id AND e.form = {form}"
# A reading that was submitted stands: there is none that is not finished.
_READINGS = " JOIN {xray} x ON x.entry_id = e.id JOIN {reading} t ON t.xray_id = x.id"
# imaging.rules.final_grade: a single independent reading stands, several have to agree first.
_FINAL = (
    " AND t.mode = 'independent' AND NOT EXISTS"
    " (SELECT FROM {reading} o WHERE o.xray_id = x.id AND o.mode = 'independent' AND o.id <> t.id)"
)


def _table(
    profile: Profile,
    of: Source,
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
            participant=of(Participant),
            screening=of(Screening),
            visit=of(Visit),
            entry=of(FormEntry),
            xray=of(Xray),
            reading=of(Reading),
            ulcer=of(Ulcer),
            record=of(next(iter(shown))),
            form=sql.Literal(form),
        ),
        tuple(shown),
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
    label = gettext_noop("Participant (pseudonym of this project)")
    return replace(_key("participant", label, "code", "p"), sql=sql.Identifier("p", "code"))


def _visit(alias: str) -> Column:
    return _key("visit", gettext_noop("Visit"), "code", alias)


def _visit_of_entry(of: Source) -> Column:
    """A live entry carries its visit's code; history holds only which visit it was."""
    label = gettext_noop("Visit")
    if of is live:
        return _key("visit", label, "visit_code", "e")
    join = SQL(" LEFT JOIN {} v ON v.id = e.visit_id").format(of(Visit))
    return replace(_visit("v"), join=join)


def _limb(alias: str) -> Column:
    plain = _key("limb", gettext_noop("Leg"), "limb", alias)
    return replace(plain, kind=Kind.CHOICE, choices={code: str(word) for code, word in LIMBS})


def _ulcer(alias: str) -> Column:
    return _key("ulcer", gettext_noop("Ulcer (label)"), "label", alias)


def _occurrence(alias: str) -> Column:
    return _key("occurrence", gettext_noop("Occurrence"), "occurrence", alias)


def _reading() -> Column:
    # By when they came: by their readers it would tell one reader's films from another's, and
    # those that come later leave the numbers as they are.
    number = SQL("row_number() OVER (PARTITION BY t.xray_id ORDER BY t.at, t.id)::int")
    return Column("reading", gettext("Reading of the film"), Kind.NUMBER, number)


def _absences(profile: Profile, of: Source) -> Table:
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
                " WHERE t.absent <> '{{}}' AND a.key IN ({items}) AND a.value IN ({codes})"
            ).format(
                record=of(kind.model),
                items=SQL(", ").join(map(sql.Literal, items)),
                codes=SQL(", ").join(map(sql.Literal, ABSENCE_CODES)),
            )
        )
    rows = SQL(
        "JOIN {entry} e ON e.participant_id = p.id JOIN ({parts}) t ON t.entry_id = e.id"
    ).format(entry=of(FormEntry), parts=SQL(" UNION ALL ").join(parts))
    codes = {code: gettext(word) for code, word in ABSENCE_CODES.items()}
    code = _key("code", gettext_noop("Absence code"), "value", "t")
    return Table(
        ABSENCES,
        gettext_noop("Absence codes"),
        "",
        (
            _participant(),
            _visit_of_entry(of),
            _key("form", gettext_noop("Form"), "form", "e"),
            _limb("e"),
            _occurrence("e"),
            _key("item", gettext_noop("Item"), "key", "t"),
        ),
        (replace(code, kind=Kind.CHOICE, choices=codes),),
        rows,
    )
