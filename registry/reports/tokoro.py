"""The report of Tokoro et al. 2009 on any site's captured records. Pure.

Source: Tokoro S et al., Acta Derm Venereol 2009; 89: 505 (latent calcification on leg X-rays in
chronic venous insufficiency): Table I, prevalence, patterns, and the tests between groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from registry.imaging.rules import SCALE, on_scale

from .statistics import (
    MannWhitney,
    Mean,
    Proportion,
    Spread,
    fisher,
    mann_whitney,
    mean,
    proportion,
    spread,
)

RECONSTRUCTION = "TOK"  # prefix of the site that holds the reconstruction of the paper
ON_SCALE = tuple(SCALE)
OFF_SCALE = ("amorphous", "plate", "other")  # outside the ordered scale of patterns
COARSE = 2  # the step of trabecular and reticular: their own order is not claimed
DURATIONS = ((0, 5), (5, 10), (10, None))  # years, from … to under …; the bins are ours


@dataclass(frozen=True)
class Case:
    """One participant at baseline, by the worst leg.

    ``ceap`` is the class on the 1994 scale (0–6), ``duration`` the years from onset to enrolment,
    ``calcification`` ``present``, ``absent`` or None (no film graded or not assessable).
    """

    arm: str
    sex: str
    age: int
    duration: float | None = None
    ceap: int | None = None
    calcification: str | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Group:
    """One column of Table I."""

    n: int
    male: int
    female: int
    other: int
    age: Spread | None
    age_mean: Mean | None
    ceap: Mean | None
    duration: Spread | None


@dataclass(frozen=True)
class Stratum:
    """Calcification among the CVI participants of one class or one span of duration."""

    stratum: str
    calcified: Proportion | None
    patterns: dict[str, int]


@dataclass(frozen=True)
class Report:
    """Everything the report says; numbers as they are, unrounded."""

    calcified: Group
    not_calcified: Group
    cvi: Group
    controls: Group
    prevalence_cvi: Proportion | None
    prevalence_controls: Proportion | None
    prevalence_fisher: float | None
    patterns_cvi: dict[str, int]
    patterns_controls: dict[str, int]
    by_ceap: list[Stratum]
    by_duration: list[Stratum]
    age: MannWhitney | None
    ceap: MannWhitney | None
    duration: MannWhitney | None
    duration_by_pattern: MannWhitney | None  # trabecular or reticular v punctate
    cvi_not_graded: int
    controls_not_graded: int

    @property
    def empty(self) -> bool:
        return not self.cvi.n and not self.controls.n


def report(cases: Iterable[Case]) -> Report:
    """The report over ``cases``; participants without a final grade are only counted."""
    everybody = list(cases)
    graded = [case for case in everybody if case.calcification]
    cvi = [case for case in graded if case.arm == "cvi"]
    controls = [case for case in graded if case.arm == "control"]
    with_it, without = _split(cvi)
    controls_with, controls_without = _split(controls)
    coarse = [case for case in with_it if on_scale(case.calcification, case.pattern) == COARSE]
    punctate = [case for case in with_it if case.pattern == "punctate"]
    return Report(
        calcified=_group(with_it),
        not_calcified=_group(without),
        cvi=_group(cvi),
        controls=_group(controls),
        prevalence_cvi=proportion(len(with_it), len(cvi)),
        prevalence_controls=proportion(len(controls_with), len(controls)),
        prevalence_fisher=fisher(
            ((len(with_it), len(without)), (len(controls_with), len(controls_without)))
        ),
        patterns_cvi=_patterns(with_it),
        patterns_controls=_patterns(controls_with),
        by_ceap=[
            _stratum(f"C{number}", [case for case in cvi if case.ceap == number])
            for number in range(7)
        ],
        by_duration=[
            _stratum(_span(low, high), [case for case in cvi if _lasted(case, low, high)])
            for low, high in DURATIONS
        ],
        age=_compare(with_it, without, lambda case: case.age),
        ceap=_compare(with_it, without, lambda case: case.ceap),
        duration=_compare(with_it, without, lambda case: case.duration),
        duration_by_pattern=_compare(coarse, punctate, lambda case: case.duration),
        cvi_not_graded=sum(case.arm == "cvi" for case in everybody) - len(cvi),
        controls_not_graded=sum(case.arm == "control" for case in everybody) - len(controls),
    )


Grade = tuple[str | None, str | None]  # calcification, pattern


def worst_leg(grades: Iterable[Grade]) -> Grade:
    """Calcification and pattern of a participant from those of the legs.

    Present on one leg is present; absent needs a leg graded absent and none present. The pattern
    is the highest on the scale; one outside the scale stands only where no leg has one on it.
    """
    legs = list(grades)
    patterns = [pattern for state, pattern in legs if state == "present" and pattern]
    if any(state == "present" for state, _ in legs):
        order = (*OFF_SCALE, *ON_SCALE)
        return "present", max(patterns, key=order.index, default=None)
    return ("absent" if any(state == "absent" for state, _ in legs) else None), None


def _split(cases: Iterable[Case]) -> tuple[list[Case], list[Case]]:
    cases = list(cases)
    return (
        [case for case in cases if case.calcification == "present"],
        [case for case in cases if case.calcification == "absent"],
    )


def _known(cases: Iterable[Case], value: Callable[[Case], float | None]) -> list[float]:
    return [known for case in cases if (known := value(case)) is not None]


def _compare(
    first: Sequence[Case], second: Sequence[Case], value: Callable[[Case], float | None]
) -> MannWhitney | None:
    return mann_whitney(_known(first, value), _known(second, value))


def _group(cases: Sequence[Case]) -> Group:
    sexes = Counter(case.sex for case in cases)
    ages = _known(cases, lambda case: case.age)
    return Group(
        n=len(cases),
        male=sexes["male"],
        female=sexes["female"],
        other=sexes["other"],
        age=spread(ages),
        age_mean=mean(ages),
        ceap=mean(_known(cases, lambda case: case.ceap)),
        duration=spread(_known(cases, lambda case: case.duration)),
    )


def _patterns(cases: Iterable[Case]) -> dict[str, int]:
    """Every pattern of the scale, and those outside it that occur."""
    found = Counter(case.pattern for case in cases if case.calcification == "present")
    shown = [*ON_SCALE, *(pattern for pattern in OFF_SCALE if found[pattern])]
    return {pattern: found[pattern] for pattern in shown}


def _stratum(name: str, cases: Sequence[Case]) -> Stratum:
    with_it, _ = _split(cases)
    return Stratum(name, proportion(len(with_it), len(cases)), _patterns(with_it))


def _span(low: int, high: int | None) -> str:
    if high is None:
        return f"≥ {low}"
    return f"{low} – < {high}" if low else f"< {high}"


def _lasted(case: Case, low: int, high: int | None) -> bool:
    return (
        case.duration is not None
        and low <= case.duration
        and (high is None or case.duration < high)
    )
