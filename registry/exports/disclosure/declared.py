"""What may be known of a person, how it is made coarser, and what it must not tell: declared once.

A quasi-identifier has a ladder of levels, from the finest that its profile lets leave to none. The
steps of a profile take one quasi-identifier after the other one level up, in a fixed order: what
analysis needs least goes first. Expressions are SQL over a row of ``counting.KNOWN``.

k is the setting ``DISCLOSURE_K``: 5 under an agreement, 11 for the public, as EMA's Policy 0070 and
Health Canada ask for a risk of at most 9 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext_noop

from ..profiles import LIMITED, SAFE_HARBOR

OLDEST: Final = 90
"""Years of age from which on all people are together, as HIPAA has it."""

SUPPRESSED: Final = Decimal("0.05")
"""The share of people that may lose their quasi-identifiers before the next step is tried.

One step makes the data of everybody coarser; a few rare people are not worth it. Of more than one
in twenty, what is counted by sex, age, period or site would be biased.
"""

SMALL_SITE: Final = 20
"""A site with fewer than so many times k people is small.

It cannot fill ten bands of age of both sexes with k people each.
"""


@dataclass(frozen=True)
class Level:
    """One way of telling a quasi-identifier; ``text`` says what becomes of it there."""

    code: str
    text: str
    sql: str


@dataclass(frozen=True)
class Outcome:
    """What must not be told of a known person: one value for the whole follow-up, or none.

    It is in a dataset that has the table of ``form``.
    """

    code: str
    text: str
    form: str
    sql: str


@dataclass(frozen=True)
class Step:
    """The levels of all quasi-identifiers at once; ``code`` and ``text`` are of what changed.

    ``coarser`` are the levels that are not the finest.
    """

    code: str
    text: str
    levels: Mapping[str, Level]
    coarser: tuple[Level, ...]


@dataclass(frozen=True)
class Disclosure:
    """``ladders``: quasi-identifier → levels, finest first. ``order``: which goes up when."""

    ladders: Mapping[str, tuple[Level, ...]]
    order: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    def steps(self) -> Iterator[Step]:
        """Every step, each with all before it."""
        at = dict.fromkeys(self.ladders, 0)
        yield self._step("finest", FINEST, at)
        for moved in self.order:
            at[moved] += 1
            level = self.ladders[moved][at[moved]]
            yield self._step(level.code, level.text, at)

    def _step(self, code: str, text: str, at: Mapping[str, int]) -> Step:
        levels = {name: ladder[at[name]] for name, ladder in self.ladders.items()}
        return Step(code, text, levels, tuple(levels[name] for name in levels if at[name]))

    def as_json(self) -> dict[str, Any]:
        """What the database works with: steps in their order, and outcomes with their forms."""
        return {
            "steps": [
                {
                    "step": one.code,
                    "columns": {name: level.sql for name, level in one.levels.items()},
                }
                for one in self.steps()
            ],
            "outcomes": [
                {"outcome": one.code, "form": one.form, "sql": one.sql} for one in self.outcomes
            ],
        }


FINEST = gettext_noop("as fine as the profile lets it")


def _ages(years: int, text: str) -> Level:
    """Bands of so many years; the oldest are in one without an end."""
    low, last = f"age / {years} * {years}", OLDEST // years * years
    band = f"int4range({low}, CASE WHEN age < {last} THEN {low} + {years} END)"
    return Level(f"age_{years}", text, band)


AGE_20 = _ages(20, gettext_noop("age in bands of twenty years"))
AGE_10 = _ages(10, gettext_noop("age in bands of ten years"))
AGE_5 = _ages(5, gettext_noop("age in bands of five years"))
AGE_1 = _ages(1, gettext_noop("age in years"))
HALF_YEAR = Level("half_year", gettext_noop("half-year of enrolment"), "period")
YEAR = Level("year", gettext_noop("year of enrolment"), "left(period, 4)")
NO_PERIOD = Level("no_period", gettext_noop("no time of enrolment"), "NULL::text")
SITE = Level("site", gettext_noop("every site for itself"), "site")
SMALL_SITES = Level(
    "small_sites",
    gettext_noop("small sites together, as site 0, without their examiners and readers"),
    "CASE WHEN small THEN 0 ELSE site END",
)
NO_SITE = Level("no_site", gettext_noop("no site, examiner or reader"), "NULL::bigint")
SEX = Level("sex", gettext_noop("sex"), "sex")
NONE: Final = "none"


def _major_event(sql: str) -> Outcome:
    text = gettext_noop("death, amputation or pulmonary embolism")
    return Outcome("major_event", text, "event", sql)


def _ulcer_outcome(sql: str) -> Outcome:
    return Outcome("ulcer_outcome", gettext_noop("worst outcome of an ulcer"), "ulcers", sql)


_LEFT = Outcome(
    "left",
    gettext_noop("left the study before its end"),
    "end",
    f"CASE WHEN ended_early THEN 'left' ELSE '{NONE}' END",
)

DISCLOSURES: Final[Mapping[str, Disclosure]] = {
    LIMITED.code: Disclosure(
        {
            "sex": (SEX,),
            "age": (AGE_1, AGE_5, AGE_10, AGE_20),
            "period": (HALF_YEAR, YEAR, NO_PERIOD),
            "site": (SITE, SMALL_SITES, NO_SITE),
        },
        ("age", "site", "period", "age", "site", "age", "period"),
        (
            _major_event(f"coalesce(major_event, '{NONE}')"),
            _ulcer_outcome(f"coalesce(ulcer_outcome, '{NONE}')"),
            _LEFT,
        ),
    ),
    SAFE_HARBOR.code: Disclosure(
        {"sex": (SEX,), "age": (AGE_10, AGE_20), "period": (YEAR, NO_PERIOD), "site": (NO_SITE,)},
        ("age", "period"),
        (
            _major_event(f"CASE WHEN major_event IS NULL THEN '{NONE}' ELSE 'major_event' END"),
            _ulcer_outcome(
                f"CASE WHEN ulcer_outcome IS NULL THEN '{NONE}'"
                " WHEN ulcer_outcome = 'healed' THEN ulcer_outcome ELSE 'not_healed' END"
            ),
            _LEFT,
        ),
    ),
}
"""Profile → its disclosure control."""
