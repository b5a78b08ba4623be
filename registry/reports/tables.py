"""The Tokoro report as tables of words and numbers: one text for page and command."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from registry.core.dictionary import items_of
from registry.imaging.models import Reading

from .statistics import EXACT_UP_TO, QUARTILES, MannWhitney, Mean, Proportion, Spread
from .tokoro import Group, Report, Stratum


@dataclass(frozen=True)
class Table:
    """``rows`` start with the row's heading; a ``note`` says how the numbers were made."""

    caption: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


def tables(report: Report) -> list[Table]:
    """The report's tables, in the order of the paper."""
    return [
        _table_one(report),
        _prevalence(report),
        _pattern_table(report),
        _strata(_("Calcification by CEAP class (1994 scale)"), _("Class"), report.by_ceap),
        _strata(_("Calcification by disease duration"), _("Years"), report.by_duration),
        _tests(report),
    ]


def published() -> Table:
    """What the paper itself prints, to be set beside the reconstruction's numbers."""
    return Table(
        _("As published by Tokoro et al. 2009"),
        [_("Measure"), *_groups()],
        [
            [_("Participants"), "13", "7", "20", "20"],
            [_("Male / female"), "6 / 7", "2 / 5", "8 / 12", "9 / 11"],
            [_("Age, years: median (IQR)"), "77 (23)", "67 (17)", "70", "–"],
            [_("Age, years: mean"), "–", "–", "66.6", "67.3"],
            [_("CEAP class: mean ± SD"), "5.5 ± 0.9", "4.3 ± 1.4", "5.1 ± 1.21", "–"],
            [_("Disease duration, years: median (IQR)"), "7 (20)", "2 (7)", "6", "–"],
            [_("Calcified"), "–", "–", "13 / 20 (65 %)", "4 / 20 (20 %)"],
            [_("Punctate / trabecular / reticular"), "–", "–", "9 / 1 / 3", "4 / 0 / 0"],
        ],
        _(
            "Acta Derm Venereol 2009; 89: 505. It marks p < 0.05 for duration (calcified v not,"
            " and trabecular or reticular v punctate; Mann-Whitney) and for nothing else in"
            " Table I."
        ),
    )


def conventions() -> list[str]:
    """What the paper doesn't give and how the reconstruction fills it (``load_tokoro``)."""
    return [
        _(
            "The rows are a reconstruction: they match every aggregate the paper published, and"
            " no row is a patient. Ages, sexes and who has which pattern are arbitrary within that."
        ),
        _(
            "Enrolment, visit and film: 2 July 2008 for all. Birth date: 1 July of the year that"
            " gives the age."
        ),
        _("Disease duration is entered as a year of onset that gives the row's whole years."),
        _("The leg is not published: the right leg stands for all, the left was not entered."),
        _("Plain C4 is entered in CEAP version 1994; every other CEAP item is “unknown”."),
        _(
            "Each C6 leg has one open venous ulcer, placed at the medial malleolus with onset in"
            " 2008, size unknown."
        ),
        _(
            "Films: views not stated, thirds unknown, quality good. A calcified leg has the distal"
            " medial zone marked and its other zones not assessable, so its extent means nothing."
        ),
        _("CVI participants count as recruited in dermatology, controls in orthopaedics."),
        _(
            "Consent covers neither contact nor sharing, so nobody is recalled and no row enters a"
            " dataset; the visits after baseline are recorded as missed."
        ),
        _(
            "Not entered, for want of a form or a number: rheumatoid arthritis, diabetes, biopsies"
            " and laboratory values."
        ),
    ]


def _groups() -> list[str]:
    return [_("Calcified"), _("Not calcified"), _("All CVI"), _("Controls")]


def _table_one(report: Report) -> Table:
    groups = [report.calcified, report.not_calcified, report.cvi, report.controls]
    lines: list[tuple[str, Callable[[Group], str]]] = [
        (_("Participants"), lambda group: str(group.n)),
        (_("Male / female"), _sexes),
        (_("Age, years: median (IQR)"), lambda group: _spread(group.age, group.n)),
        (_("Age, years: mean"), lambda group: _mean(group.age_mean, group.n, sd=False)),
        (_("CEAP class: mean ± SD"), lambda group: _mean(group.ceap, group.n)),
        (
            _("Disease duration, years: median (IQR)"),
            lambda group: _spread(group.duration, group.n),
        ),
    ]
    return Table(
        _("Table I: participants with and without calcification"),
        [_("Measure"), *_groups()],
        [[label, *(show(group) for group in groups)] for label, show in lines],
        _("Quartiles by %(quartiles)s. SD with n − 1. CEAP on the 1994 scale, worst leg.")
        % {"quartiles": QUARTILES},
    )


def _prevalence(report: Report) -> Table:
    left_out = ""
    if report.cvi_not_graded or report.controls_not_graded:
        left_out = _(
            "Left out, having no assessable film with a final grade at baseline:"
            " CVI %(cvi)s, controls %(controls)s."
        ) % {"cvi": report.cvi_not_graded, "controls": report.controls_not_graded}
    return Table(
        _("Prevalence of calcification on the leg X-ray"),
        [_("Group"), *_share_columns()],
        [
            [_("CVI"), *_share(report.prevalence_cvi)],
            [_("Controls"), *_share(report.prevalence_controls)],
        ],
        left_out,
    )


def _pattern_table(report: Report) -> Table:
    names = list(dict.fromkeys([*report.patterns_cvi, *report.patterns_controls]))
    return Table(
        _("Patterns of calcification"),
        [_("Pattern"), _("CVI"), _("Controls")],
        [
            [
                _pattern(name),
                str(report.patterns_cvi.get(name, 0)),
                str(report.patterns_controls.get(name, 0)),
            ]
            for name in names
        ],
        _("Each participant by the highest pattern of both legs."),
    )


def _strata(caption: str, heading: str, strata: Iterable[Stratum]) -> Table:
    strata = list(strata)
    names = list(dict.fromkeys(name for stratum in strata for name in stratum.patterns))
    return Table(
        caption,
        [heading, *_share_columns(), *map(_pattern, names)],
        [
            [
                stratum.stratum,
                *_share(stratum.calcified),
                *(str(stratum.patterns.get(name, 0)) for name in names),
            ]
            for stratum in strata
        ],
        _("CVI participants only."),
    )


def _tests(report: Report) -> Table:
    graded = (report.prevalence_cvi, report.prevalence_controls)
    return Table(
        _("Tests"),
        [
            _("Comparison"),
            _("n"),
            _("Test and variant"),
            _("p"),
            _("p, normal, ties"),
            _("ties + continuity"),
            _("neither"),
        ],
        [
            [
                _("Calcification: CVI v controls"),
                " v ".join(str(share.of if share else 0) for share in graded),
                _("Fisher, exact"),
                _p(report.prevalence_fisher),
                *["–"] * 3,
            ],
            [_("Age: calcified v not"), *_test(report.age)],
            [_("CEAP class: calcified v not"), *_test(report.ceap)],
            [_("Disease duration: calcified v not"), *_test(report.duration)],
            [
                _("Disease duration: trabecular or reticular v punctate"),
                *_test(report.duration_by_pattern),
            ],
        ],
        _(
            "All two-sided, not adjusted for multiple testing. Mann-Whitney exact: the permutation"
            " distribution given the ties, for up to %(limit)s participants; above, the normal"
            " approximation with tie and continuity correction. Beside it the normal"
            " approximation's variants, as programs differ in which they print."
        )
        % {"limit": EXACT_UP_TO},
    )


def _test(test: MannWhitney | None) -> list[str]:
    if test is None:
        return ["–", _("not computed: a group is empty"), *["–"] * 4]
    variants = {"exact": _("exact"), "normal_continuity": _("normal, ties + continuity")}
    return [
        f"{test.first_n} v {test.second_n}",
        _("Mann-Whitney, %(variant)s") % {"variant": variants[test.variant]},
        *map(_p, (test.p, test.normal, test.normal_continuity, test.normal_untied)),
    ]


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _share_columns() -> list[str]:
    # xgettext:no-python-format
    interval = _("95 % interval (Wilson)")
    return [_("Calcified"), _("Share"), interval]


def _share(share: Proportion | None) -> list[str]:
    if share is None:
        return ["0 / 0", "–", "–"]
    return [
        f"{share.count} / {share.of}",
        f"{_number(100 * share.share)} %",
        f"{100 * share.low:.1f} – {100 * share.high:.1f} %",
    ]


def _sexes(group: Group) -> str:
    other = _(" / other %(n)s") % {"n": group.other} if group.other else ""
    return f"{group.male} / {group.female}{other}"


def _spread(spread: Spread | None, of: int) -> str:
    if spread is None:
        return "–"
    return f"{_number(spread.median)} ({_number(spread.iqr)}){_known(spread.n, of)}"


def _mean(mean: Mean | None, of: int, *, sd: bool = True) -> str:
    if mean is None:
        return "–"
    deviation = f" ± {mean.sd:.1f}" if sd and mean.sd is not None else ""
    return f"{mean.mean:.1f}{deviation}{_known(mean.n, of)}"


def _known(n: int, of: int) -> str:
    return "" if n == of else _(" (known of %(n)s)") % {"n": n}


def _number(value: float) -> str:
    """One decimal, none for a whole number."""
    return f"{round(value, 1):g}"


def _pattern(name: str) -> str:
    return items_of(Reading)["pattern"].choice_label(name)
