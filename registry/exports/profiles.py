"""The two profiles of a dataset: what leaves, and as what.

An allow-list. Each item leaves by its privacy class alone: ``release`` as it is, ``date`` as a
study day, ``withhold`` never, and ``group`` only as the profile's ``mapping`` below says (the last
table of the protocol's forms). What has no rule stops the build by a system check. Every band and
step is declared here and nowhere else.

Expressions are SQL over one row ``t``: ``{c}`` is the item's column, ``p`` the participant's row of
``release.people``, whose columns ``shown_*`` are what disclosure control leaves of sex, age, period
and site. What an expression reads elsewhere is joined once, for all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop
from psycopg import sql
from psycopg.sql import Composable, Composed

from registry.core.codebook import Entry
from registry.core.dictionary import Kind, Privacy

SMALLEST: Final = 8
"""People below which a group is hidden in previews."""

KINDS = {
    Kind.NUMBER: gettext_noop("number"),
    Kind.SCORE: gettext_noop("score"),
    Kind.CHOICE: gettext_noop("code"),
    Kind.YES_NO: gettext_noop("yes or no"),
    Kind.TEXT: gettext_noop("text"),
}
NO_YES = {"0": gettext_noop("no"), "1": gettext_noop("yes")}


class UnmappedError(Exception):
    """An item has no rule by which it may leave."""


@dataclass(frozen=True)
class Column:
    """One column of a dataset; ``sql`` is its expression, ``choices`` are code → label.

    ``masked``: in some rows its value is hidden, so no absence code of its item leaves either.
    ``ordered``: its choices stand in an order. ``join`` is what ``sql`` reads beside the row.
    """

    name: str
    label: str
    kind: Kind
    sql: sql.Composable
    unit: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    form: str = ""
    item: str = ""
    ordered: bool = False
    masked: bool = False
    join: Composable = field(default_factory=partial(Composed, ()))

    @property
    def kind_label(self) -> str:
        return gettext(KINDS[self.kind])


@dataclass(frozen=True)
class As:
    """A coarsened column that an item leaves as; ``name`` stands for the item's in its name.

    ``masked``: its ``sql`` hides the values of some rows for what these rows are. ``join``: what
    it reads beside the row, at most one row for each.
    """

    sql: str
    kind: Kind
    label: str = ""
    name: str = ""
    unit: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = False
    masked: bool = False
    join: str = ""


@dataclass(frozen=True)
class Merged:
    """A choice of which ``codes`` leave as one, ``into``; the others leave as they are."""

    codes: tuple[str, ...]
    into: str
    label: str

    @property
    def sql(self) -> str:
        codes = ", ".join(f"'{code}'" for code in self.codes)
        return f"CASE WHEN {{c}} IN ({codes}) THEN '{self.into}' ELSE {{c}} END"

    def choices(self, entry: Entry) -> dict[str, str]:
        kept = {code: word for code, word in entry.choices.items() if code not in self.codes}
        return {**kept, self.into: gettext(self.label)}


class Whole:
    """A grouped item that a profile lets leave as it is."""


AS_IS: Final = Whole()
OUT: Final = None
Rule = As | Merged | Whole | None


@dataclass(frozen=True)
class Profile:
    """``mapping``: ``form.item``, or the item's bare name for every form, → how it leaves.

    ``worked_out``: ``form.item`` of what is computed over several records, → how it leaves.
    ``months``: the steps in which it tells when somebody was enrolled, and a request may ask.
    """

    code: str
    text: str
    about: str
    mapping: Mapping[str, Rule]
    worked_out: Mapping[str, As]
    months: int

    @property
    def label(self) -> str:
        return gettext(self.text)

    @property
    def description(self) -> str:
        return gettext(self.about)

    @property
    def schema(self) -> str:
        """The schema of its views, and the name of the one role that may read them."""
        return f"release_{self.code}"

    @property
    def stands_in(self) -> bool:
        """Whether random numbers stand for sites, examiners or readers."""
        return any(
            isinstance(rule, As) and STAND_INS in rule.join for rule in self.mapping.values()
        )

    @property
    def tells_sites(self) -> bool:
        """Whether a dataset tells its sites apart, so that a request may choose among them."""
        return self.mapping["participant.site"] is not OUT

    def rule(self, entry: Entry) -> Rule:
        """The mapping's word on an item. Raises KeyError when it has none."""
        exact = f"{entry.form}.{entry.name}"
        return self.mapping[exact] if exact in self.mapping else self.mapping[entry.name]

    def columns(self, entry: Entry, row: str) -> Iterator[Column]:
        """The columns as which an item of the table with alias ``row`` leaves.

        Raises :class:`UnmappedError` when neither its privacy class nor the mapping says how.
        """
        privacy = entry.item.privacy
        if privacy == Privacy.WITHHOLD:
            return
        column = sql.Identifier(row, str(entry.column.column))
        try:
            rule = self.rule(entry)
        except KeyError:
            if privacy == Privacy.GROUP:
                raise UnmappedError(
                    f"{entry.export_name} is grouped, and {self.code} does not say how it leaves."
                ) from None
            yield from (
                _study_days(entry, column) if privacy == Privacy.DATE else _as_it_is(entry, column)
            )
            return
        if isinstance(rule, Whole):
            yield from _as_it_is(entry, column)
        elif isinstance(rule, Merged):
            yield Column(
                entry.export_name,
                entry.item.label,
                Kind.CHOICE,
                _written(rule.sql, column),
                choices=rule.choices(entry),
                form=entry.form,
                item=entry.name,
            )
        elif rule:
            yield Column(
                name=f"{entry.form}_{rule.name or entry.name}",
                label=gettext(rule.label) if rule.label else entry.item.label,
                kind=rule.kind,
                sql=_written(rule.sql, column),
                unit=rule.unit,
                choices=rule.choices or (entry.choices if rule.kind == Kind.CHOICE else {}),
                form=entry.form,
                item=entry.name,
                ordered=rule.ordered,
                masked=rule.masked,
                join=_written(rule.join, column),
            )

    def worked_out_columns(self, form: str) -> Iterator[Column]:
        """The columns of a form, its rows with alias ``t``, that no single item holds."""
        for name, rule in self.worked_out.items():
            if name.partition(".")[0] == form:
                yield Column(
                    name.replace(".", "_"),
                    gettext(rule.label),
                    rule.kind,
                    sql.SQL(rule.sql),
                    unit=rule.unit,
                    choices=rule.choices,
                    form=form,
                    item=name.partition(".")[2],
                    ordered=rule.ordered,
                    join=sql.SQL(rule.join),
                )


def _written(template: str, column: sql.Composable) -> sql.Composable:
    return sql.SQL(template).format(c=column)


# A day known exactly leaves so; of a month or a year the months or years from that of enrolment, as
# days of round length: counted from the day of enrolment itself they would give it back (ADR 9).
# Plain sums, since a text like 2026-02-31 must not stop a build.
_DAYS = """CASE length({c})
    WHEN 4 THEN ({c}::int - extract(year FROM p.enrolled_on)::int) * 365
    WHEN 7 THEN (left({c}, 4)::int * 12 + right({c}, 2)::int
        - extract(year FROM p.enrolled_on)::int * 12 - extract(month FROM p.enrolled_on)::int) * 30
    ELSE make_date(left({c}, 4)::int, substr({c}, 6, 2)::int, 1) + right({c}, 2)::int - 1
        - p.enrolled_on
END"""
_PRECISION = "CASE length({c}) WHEN 4 THEN 'year' WHEN 7 THEN 'month' WHEN 10 THEN 'day' END"
_PRECISIONS = {word: word for word in ("year", "month", "day")}


def _study_days(entry: Entry, column: sql.Composable) -> Iterator[Column]:
    """A date as days from enrolment, a year as years before it."""
    about: dict[str, Any] = {"form": entry.form, "item": entry.name}
    name, label = entry.export_name, entry.item.label
    match entry.kind:
        case Kind.DATE:
            text = gettext("%(label)s (days from enrolment)") % {"label": label}
            day = _written("{c} - p.enrolled_on", column)
            yield Column(name, text, Kind.NUMBER, day, "d", **about)
        case Kind.PARTIAL_DATE:
            text = gettext("%(label)s (days from enrolment; a month counts 30, a year 365)")
            days = _written(_DAYS, column)
            yield Column(name, text % {"label": label}, Kind.NUMBER, days, "d", **about)
            yield Column(
                f"{name}_precision",
                gettext("%(label)s, known to the") % {"label": label},
                Kind.CHOICE,
                _written(_PRECISION, column),
                choices=_PRECISIONS,
                ordered=True,
                **about,
            )
        case Kind.YEAR:
            text = gettext("%(label)s (years before enrolment)") % {"label": label}
            years = _written("extract(year FROM p.enrolled_on)::int - {c}", column)
            yield Column(name, text, Kind.NUMBER, years, "a", **about)
        case _:
            raise UnmappedError(f"{name} is a date that is neither date nor year: map it.")


def _as_it_is(entry: Entry, column: sql.Composable) -> Iterator[Column]:
    """A value as stored; yes_no as 0 and 1, a multi as one 0/1 column a choice."""
    item, name, label = entry.item, entry.export_name, entry.item.label
    about: dict[str, Any] = {"form": entry.form, "item": entry.name}
    no_yes = {code: gettext(word) for code, word in NO_YES.items()}
    match entry.kind:
        case Kind.YES_NO:
            yield Column(
                name, label, Kind.YES_NO, _written("{c}::int", column), choices=no_yes, **about
            )
        case Kind.MULTI:
            for code, word in entry.choices.items():
                chosen = sql.SQL("({code} = ANY({c}))::int").format(
                    code=sql.Literal(code), c=column
                )
                yield Column(
                    f"{name}_{code}",
                    f"{label}: {word}",
                    Kind.YES_NO,
                    chosen,
                    choices=no_yes,
                    **about,
                )
        case Kind.CHOICE | Kind.SCORE | Kind.NUMBER:
            yield Column(
                name,
                label,
                entry.kind,
                column,
                unit=item.unit,
                choices=entry.choices,
                ordered=item.ordered or entry.kind == Kind.SCORE,
                **about,
            )
        case Kind.TEXT if item.companion_of:  # a number as typed
            yield Column(name, label, Kind.NUMBER, column, **about)
        case Kind.TEXT if item.pattern:
            yield Column(name, label, Kind.TEXT, column, **about)
        case _:
            raise UnmappedError(f"{name} is a {entry.kind}, which never leaves as it is: map it.")


# -- expressions -----------------------------------------------------------------------------


STAND_INS: Final = "public.exports_standin"


def _stand_in(kind: str, key: str, label: str, shown: str) -> As:
    """A random number, drawn for the project, in the place of a site or a person.

    ``shown`` is the SQL of what is shown of it, {} in its place.
    """
    return As(
        shown.format(f"{kind}_standin.number"),
        Kind.NUMBER,
        label,
        join=f" LEFT JOIN {STAND_INS} {kind}_standin ON {kind}_standin.kind = '{kind}'"
        f" AND {kind}_standin.project_id = p.project_id AND {kind}_standin.key = {key}",
    )


# Examiners and readers tell sites apart: missing where a site is not told, or not for itself.
_OF_SITE = "CASE WHEN p.shown_site > 0 THEN {} END"
_SEX = As("p.shown_sex", Kind.CHOICE)

EXAMINER_KEY: Final = "encode(sha256(convert_to(p.site_id || ':' || {c}, 'UTF8')), 'hex')"
"""Who examined, as a key of stand-ins: typed as text, and one person only within a site."""

# Whole years: finer steps would give the day of enrolment back, since onsets count from mid-year.
# The month of onset is read beside its year, as rules.disease_duration_years does.
# greatest() passes over NULL: without an onset there is no duration, not one of 0.
_DURATION = """CASE WHEN {c} IS NOT NULL THEN greatest(0, round(extract(year FROM p.enrolled_on)
    + (extract(doy FROM p.enrolled_on) - 1) / 365.25
    - {c} - coalesce((t.onset_month - 0.5) / 12, 0.5)))::int END"""

_BAND = (
    "CASE WHEN upper_inf(p.shown_age) THEN lower(p.shown_age) || '+'"
    " ELSE lower(p.shown_age) || ' to ' || upper(p.shown_age) - 1 END"
)
# Counted from an age that is shown in years: any other would narrow the band that is shown.
_AGE_THEN = "(lower(p.shown_age) - a.years)"
_FIRST_ULCER = (
    "CASE WHEN upper(p.shown_age) > lower(p.shown_age) + 1 OR upper(p.shown_age) IS NULL THEN NULL"
    f" WHEN {_AGE_THEN} >= 90 THEN '90+'"
    f" ELSE {_AGE_THEN} / 10 * 10 || ' to ' || {_AGE_THEN} / 10 * 10 + 9 END"
)
_TEN_YEARS = {
    **{f"{low} to {low + 9}": f"{low}–{low + 9}" for low in range(0, 90, 10)},
    "90+": gettext_noop("90 or more"),
}
_BANDS_OF_AGE = {
    **_TEN_YEARS,
    **{f"{low} to {low + 19}": f"{low}–{low + 19}" for low in range(0, 80, 20)},
    "80+": gettext_noop("80 or more"),
}

_RARE = "lupus dermatomyositis panniculitis sarcoidosis kidney_transplant dialysis bone_disease"
# One of the rare conditions stands for all of them: yes as soon as one is, no when all are.
_ANY_RARE = f"({{c}} OR {' OR '.join(f't.{name}' for name in _RARE.split())})::int"

MAJOR_EVENTS: Final = (
    "pulmonary_embolism",
    "amputation_toe",
    "amputation_foot",
    "amputation_below_knee",
    "amputation_above_knee",
    "death",
)
"""The gravest last, by what is lost for good."""

# What would tell one major event from another.
_UNLESS_MAJOR = "CASE WHEN t.kind NOT IN ({}) THEN {{c}} END".format(
    ", ".join(f"'{code}'" for code in MAJOR_EVENTS)
)
_SYSTEMIC = Merged(
    ("metastatic", "calciphylaxis"), "systemic_type", gettext_noop("metastatic or calciphylaxis")
)

# The classes of the WHO, in kg/m².
_BMI_CLASS = (
    "CASE WHEN {c} < 18.5 THEN 'underweight' WHEN {c} < 25 THEN 'normal'"
    " WHEN {c} < 30 THEN 'overweight' WHEN {c} < 35 THEN 'obese_1'"
    " WHEN {c} < 40 THEN 'obese_2' WHEN {c} >= 40 THEN 'obese_3' END"
)
_BMI_CLASSES = {
    "underweight": gettext_noop("underweight, under 18.5"),
    "normal": gettext_noop("normal, 18.5 to under 25"),
    "overweight": gettext_noop("overweight, 25 to under 30"),
    "obese_1": gettext_noop("obesity class I, 30 to under 35"),
    "obese_2": gettext_noop("obesity class II, 35 to under 40"),
    "obese_3": gettext_noop("obesity class III, 40 or more"),
}
_ULCER_OUTCOMES = " LEFT JOIN release.ulcer_outcomes o ON o.id = t.id"
_BY_FIVE = "(round({c} / 5) * 5)::int"

_BASE: Mapping[str, Rule] = {
    # The participant's, said once.
    "screening.site": OUT,
    "screening.arm": OUT,
    # Numbers of a set of matched people come with the matched analysis.
    "screening.matched_to": OUT,
    "participant.onset_year": As(
        _DURATION,
        Kind.NUMBER,
        gettext_noop("Duration of disease at enrolment"),
        "disease_duration_years",
        "a",
    ),
    "participant.onset_month": OUT,
    # These leave as keys of the tables, and the codes as one long table.
    "visit.code": OUT,
    "ulcer.label": OUT,
    "absent": OUT,
}

SAFE_HARBOR = Profile(
    "safe_harbor",
    gettext_noop("Safe Harbor"),
    gettext_noop(
        "Without the eighteen identifiers of HIPAA: study days instead of dates, ages in bands,"
        " no site. Nothing more is needed than the steward's approval."
    ),
    {
        **_BASE,
        "participant.site": OUT,
        "participant.sex": _SEX,
        "participant.age_at_enrolment": As(
            _BAND,
            Kind.CHOICE,
            gettext_noop("Age at enrolment, in bands"),
            unit="a",
            choices=_BANDS_OF_AGE,
            ordered=True,
        ),
        "participant.enrolled_on": As(
            "p.shown_period::int", Kind.NUMBER, gettext_noop("Year of enrolment")
        ),
        "recruited_in": OUT,
        "control_reason": OUT,
        "leg_status": OUT,
        "height_cm": OUT,
        "weight_kg": OUT,
        "bmi": As(
            _BMI_CLASS,
            Kind.CHOICE,
            gettext_noop("Body mass index, class of the WHO"),
            "bmi_class",
            choices=_BMI_CLASSES,
            ordered=True,
        ),
        "history.systemic_sclerosis": As(
            _ANY_RARE,
            Kind.YES_NO,
            gettext_noop("Rare systemic condition"),
            "rare_systemic_condition",
            choices=NO_YES,
        ),
        **{f"history.{name}": OUT for name in _RARE.split()},
        "event.kind": Merged(MAJOR_EVENTS, "major_event", gettext_noop("major event")),
        "event.limb": As(_UNLESS_MAJOR, Kind.CHOICE, masked=True),
        "event.related_to_ulcer": As(
            _UNLESS_MAJOR.replace("{c}", "{c}::int"), Kind.YES_NO, choices=NO_YES, masked=True
        ),
        "event.cause_of_death": OUT,
        # Of major events only death ends participation: a word of its own for it would be death.
        "end.reason": As(
            "CASE WHEN {c} = 'completed' THEN {c} WHEN {c} IS NOT NULL THEN 'not_completed' END",
            Kind.CHOICE,
            choices={
                "completed": gettext_noop("completed the study"),
                "not_completed": gettext_noop("did not complete the study"),
            },
        ),
        # One of the rare conditions, which leave together: its treatment would tell it from them.
        "treatment.kind": Merged(("dialysis",), "other", gettext_noop("other")),
        "calcinosis.proposed": _SYSTEMIC,
        "calcinosis.overridden_to": _SYSTEMIC,
        "calcinosis.calcinosis_type": _SYSTEMIC,
        "examiner": OUT,
        "reader": OUT,
    },
    {
        "ulcer.ulcer_outcome": As(
            "CASE o.outcome WHEN 'healed' THEN 'healed' ELSE 'not_healed' END",
            Kind.CHOICE,
            gettext_noop("Outcome"),
            choices={"healed": gettext_noop("healed"), "not_healed": gettext_noop("not healed")},
            join=_ULCER_OUTCOMES,
        ),
    },
    months=12,
)

LIMITED = Profile(
    "limited",
    gettext_noop("Limited"),
    gettext_noop(
        "Under a data use agreement: at the finest years of age up to 90, half-year of enrolment,"
        " and random numbers for sites, examiners and readers. Study days instead of dates here"
        " too."
    ),
    {
        **_BASE,
        "participant.site": _stand_in(
            "site",
            "p.shown_site::text",
            gettext_noop("Site (random number; 0 for small sites together)"),
            "CASE p.shown_site WHEN 0 THEN 0 ELSE {} END",
        ),
        "participant.sex": _SEX,
        "participant.age_at_enrolment": As(
            "lower(p.shown_age)",
            Kind.NUMBER,
            gettext_noop("Age at enrolment (lower end of its band; 90 stands for 90 or more)"),
            unit="a",
        ),
        "participant.enrolled_on": As(
            "p.shown_period", Kind.TEXT, gettext_noop("Half-year or year of enrolment")
        ),
        "recruited_in": AS_IS,
        "control_reason": AS_IS,
        "leg_status": AS_IS,
        "height_cm": As(
            _BY_FIVE, Kind.NUMBER, gettext_noop("Height, to the nearest 5 cm"), unit="cm"
        ),
        "weight_kg": As(
            _BY_FIVE, Kind.NUMBER, gettext_noop("Weight, to the nearest 5 kg"), unit="kg"
        ),
        "bmi": AS_IS,
        "history.systemic_sclerosis": AS_IS,
        **{f"history.{name}": AS_IS for name in _RARE.split()},
        "event.kind": AS_IS,
        "event.cause_of_death": AS_IS,
        "end.reason": AS_IS,
        "calcinosis.proposed": AS_IS,
        "calcinosis.overridden_to": AS_IS,
        "calcinosis.calcinosis_type": AS_IS,
        "examiner": _stand_in(
            "examiner", EXAMINER_KEY, gettext_noop("Examiner (random number)"), _OF_SITE
        ),
        "reader": _stand_in(
            "reader", "{c}::text", gettext_noop("Reader (random number)"), _OF_SITE
        ),
    },
    {
        "participant.age_at_first_ulcer": As(
            _FIRST_ULCER,
            Kind.CHOICE,
            gettext_noop("Age at the first ulcer, ten-year bands"),
            unit="a",
            choices=_TEN_YEARS,
            ordered=True,
            join=" LEFT JOIN release.first_ulcers a ON a.id = t.id",
        ),
        "ulcer.ulcer_outcome": As(
            "o.outcome",
            Kind.CHOICE,
            gettext_noop("Outcome"),
            choices={
                "healed": gettext_noop("healed"),
                "amputated": gettext_noop("amputated"),
                "died": gettext_noop("died"),
                "censored": gettext_noop("censored"),
            },
            join=_ULCER_OUTCOMES,
        ),
    },
    months=6,
)

PROFILES: Mapping[str, Profile] = {one.code: one for one in (SAFE_HARBOR, LIMITED)}
