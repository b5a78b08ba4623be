"""The disclosure report in words: for the steward who decides, and for who gets the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..profiles import Profile
from .declared import DISCLOSURES, SUPPRESSED, Step

Report = Mapping[str, Any]


def for_researcher(report: Report, profile: Profile) -> dict[str, Any]:
    """The report as it goes with the files: what anybody can count in them, and the steps tried.

    How people would look in finer data than these cannot be counted, and is not told: two reports
    of which one has a person more would say how rare that person is. ``levels`` are how each
    quasi-identifier is told.
    """
    kept = {name: value for name, value in report.items() if name not in ("blocked", "before")}
    levels = {name: level.code for name, level in _step(report, profile).levels.items()}
    return kept | {"steps": [one["step"] for one in report["steps"]], "levels": levels}


def blocked(report: Report) -> str:
    """Why no dataset can be built of what was asked for."""
    return _(
        "Fewer than %(k)s people would be in it, so that nobody could hide among others. It takes"
        " more arms, sites, years or classes."
    ) % {"k": report["k"]}


def sentences(report: Report, profile: Profile) -> Iterator[str]:
    """What was done and what it reached; true of the whole report and of the researcher's."""
    number = report["suppressed"]
    if number == report["people"]:
        yield _("Of nobody are sex, age, time of enrolment and site told: too few look alike.")
    else:
        yield _(
            "Of %(people)s participants each looks like at least %(others)s others in sex, age,"
            " time of enrolment and site."
        ) % {"people": report["people"], "others": report["after"]["smallest"] - 1}
        if coarser := _step(report, profile).coarser:
            made = "; ".join(_(level.text) for level in coarser)
            yield _("Coarser than the profile would let it be: %(made)s.") % {"made": made}
        if number:
            yield (
                ngettext(
                    "Sex, age, time of enrolment and site of %(number)s participant are missing.",
                    "Sex, age, time of enrolment and site of %(number)s participants are missing.",
                    number,
                )
                % {"number": number}
            )
    after = report["after"]["risk"]
    yield _(
        "Who knows these of somebody in it, and no more, finds him with a chance of at most"
        " %(maximal)s, and of %(mean)s on average."
    ) % {"maximal": percent(after["maximal"]), "mean": percent(after["mean"])}
    for one in report["outcomes"]:
        if number := one["everybody"]:
            yield (
                ngettext(
                    "In %(number)s group of people who look alike everybody has one value or"
                    " another of “%(outcome)s”: it is told of whoever is known to be in it.",
                    "In %(number)s groups of people who look alike everybody has one value or"
                    " another of “%(outcome)s”: it is told of whoever is known to be in one.",
                    number,
                )
                % {"number": number, "outcome": _outcomes(profile)[one["outcome"]]}
            )
    if number := _joined(report):
        yield (
            ngettext(
                "Joined with the project’s other releases by pseudonym, %(number)s participant"
                " looks like fewer than %(others)s others.",
                "Joined with the project’s other releases by pseudonym, %(number)s participants"
                " look like fewer than %(others)s others.",
                number,
            )
            % {"number": number, "others": report["k"] - 1}
        )


def advice(report: Report, profile: Profile) -> Iterator[str]:
    """What a steward does with it."""
    if report["suppressed"] > SUPPRESSED * report["people"]:
        yield _(
            "Return it unless the project can do with so many missing values: more arms, sites,"
            " years or classes would leave fewer."
        )
    elif _step(report, profile).coarser:
        yield _(
            "See whether the purpose can be reached with what is coarser. If not, return it: more"
            " arms, sites, years or classes would leave it finer."
        )
    if any(one["everybody"] for one in report["outcomes"]):
        yield _(
            "See whether the project needs the outcomes that everybody in a group has. If not,"
            " return it to be asked for without their forms."
        )
    if _joined(report):
        yield _(
            "See whether it can wait for more participants, or be asked for as a new project, whose"
            " pseudonyms do not join. If neither, approve it only for who may know them."
        )
    if any(one["small"] for one in report["releases"]):
        yield _(
            "Outcomes changed for so few since another release that who hears of one finds its"
            " participant: see whether it can wait, or leave the forms of these outcomes out."
        )


def _joined(report: Report) -> int:
    """How many people the releases together tell apart."""
    return report["joined"]["below"] if report["releases"] else 0


def _step(report: Report, profile: Profile) -> Step:
    return next(one for one in DISCLOSURES[profile.code].steps() if one.code == report["step"])


def _outcomes(profile: Profile) -> dict[str, str]:
    return {one.code: _(one.text) for one in DISCLOSURES[profile.code].outcomes}


def percent(share: float) -> str:
    """A share in whole percent, but no 0 % of something."""
    return f"{share:.0%}" if share >= 0.005 or not share else "< 1%"


# -- as pages show it ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A report on a page: for a steward with every figure, in the order of its tables.

    ``steps`` are (words, figures, whether it was taken), ``risks`` (words, before, after),
    ``outcomes`` (words, figures).
    """

    k: int
    share: str
    sentences: Sequence[str]
    advice: Sequence[str]
    steps: Sequence[tuple[str, Mapping[str, Any], bool]]
    risks: Sequence[tuple[str, str, str]]
    outcomes: Sequence[tuple[str, Mapping[str, Any]]]
    releases: Sequence[Mapping[str, Any]]


def shown(report: Report, profile: Profile) -> Shown:
    """A report that is not blocked."""
    words = {one.code: _(one.text) for one in DISCLOSURES[profile.code].steps()}
    before, after = (report[when]["risk"] for when in ("before", "after"))
    risks = {
        "maximal": _("Chance to be found, at most"),
        "mean": _("Chance to be found, on average"),
        "at_risk": _("Participants with a chance above one in %(k)s") % {"k": report["k"]},
    }
    return Shown(
        k=report["k"],
        share=percent(report["share"]),
        sentences=list(sentences(report, profile)),
        advice=list(advice(report, profile)),
        steps=[(words[one["step"]], one, one["step"] == report["step"]) for one in report["steps"]],
        risks=[(text, percent(before[one]), percent(after[one])) for one, text in risks.items()],
        outcomes=[(_outcomes(profile)[one["outcome"]], one) for one in report["outcomes"]],
        releases=report["releases"],
    )
