"""The disclosure report in words: for the steward who decides, and for who gets the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..profiles import Profile
from .declared import DISCLOSURES, SUPPRESSED, Step

Report = Mapping[str, Any]


def for_researcher(report: Report) -> dict[str, Any]:
    """The report as it goes with the files: what anybody can count in them, and little more.

    How people would look in finer data than these cannot be counted. Of that it tells shares in
    whole percent: exact numbers would change by one with one person.
    """
    risk = {name: round(report["before"]["risk"][name], 2) for name in ("mean", "at_risk")}
    return {
        **{name: value for name, value in report.items() if name != "blocked"},
        "steps": [one["step"] for one in report["steps"]],
        "before": {"risk": risk},
    }


def blocked(report: Report) -> str:
    """Why no dataset can be built of what was asked for."""
    return _(
        "Fewer than %(k)s people would be in it, so that nobody could hide among others. It takes"
        " more arms, sites, years or classes."
    ) % {"k": report["k"]}


def sentences(report: Report, profile: Profile) -> Iterator[str]:
    """What was done and what it reached; true of the whole report and of the researcher's."""
    about = {"k": report["k"], "people": report["people"], "suppressed": report["suppressed"]}
    yield (
        _(
            "In sex, age, time of enrolment and site each participant looks like at least"
            " %(others)s others here, of %(people)s in all."
        )
        % {"others": report["after"]["smallest"] - 1, "people": report["people"]}
    )
    if coarser := _step(report, profile).coarser:
        made = "; ".join(_(level.text) for level in coarser)
        yield _("For that these were made coarser: %(made)s.") % {"made": made}
    if report["suppressed"]:
        yield (
            ngettext(
                "Sex, age, time and site of %(suppressed)s participant are missing.",
                "Sex, age, time and site of %(suppressed)s participants are missing.",
                report["suppressed"],
            )
            % about
        )
    before, after = report["before"]["risk"], report["after"]["risk"]
    yield _(
        "Who knows these four of somebody in it, and nothing else, finds him with a chance of"
        " %(maximal)s at most and %(mean)s on average; with the finest that the profile lets leave"
        " it would be %(before)s on average."
    ) % {
        "maximal": _percent(after["maximal"]),
        "mean": _percent(after["mean"]),
        "before": _percent(before["mean"]),
    }
    labels = {one.code: _(one.text) for one in DISCLOSURES[profile.code].outcomes}
    for one in report["outcomes"]:
        if one["everybody"]:
            yield (
                ngettext(
                    "%(outcome)s: in %(number)s group of people who look alike everybody has one,"
                    " so that it is told of each of them.",
                    "%(outcome)s: in %(number)s groups of people who look alike everybody has one,"
                    " so that it is told of each of them.",
                    one["everybody"],
                )
                % {"outcome": labels[one["outcome"]].capitalize(), "number": one["everybody"]}
            )
    if report["releases"] and report["joined"]["below"]:
        yield (
            ngettext(
                "Joined with the project's earlier releases, by pseudonym, %(number)s participant"
                " looks like fewer than %(others)s others.",
                "Joined with the project's earlier releases, by pseudonym, %(number)s participants"
                " look like fewer than %(others)s others.",
                report["joined"]["below"],
            )
            % {"number": report["joined"]["below"], "others": report["k"] - 1}
        )


def advice(report: Report, profile: Profile) -> Iterator[str]:
    """What a steward does with it."""
    if report["blocked"]:
        yield _("Return it: it cannot be approved, for no dataset could be built.")
        return
    if report["suppressed"] > SUPPRESSED * report["people"]:
        yield _(
            "Return it, unless the project can do without: too many participants would lose sex,"
            " age, time and site. With more arms, sites, years or classes fewer would."
        )
    elif _step(report, profile).coarser:
        yield _(
            "Look whether the purpose can be reached with what is made coarser. If not, return it"
            " and say so: more arms, sites, years or classes leave it finer."
        )
    if any(one["everybody"] for one in report["outcomes"]):
        yield _(
            "Consider whether the project needs the forms of outcomes that everybody in a group"
            " has; else return it and have it asked for without them."
        )
    if report["releases"] and report["joined"]["below"]:
        yield _(
            "Consider waiting until more participants have come, or having it asked for as a new"
            " project: its pseudonyms are others, and do not join."
        )
    if any(one["small"] for one in report["releases"]):
        yield _(
            "Outcomes changed for so few since an earlier release that who heard of one finds its"
            " participant: leave the forms of outcomes out, or wait."
        )


def _step(report: Report, profile: Profile) -> Step:
    return next(one for one in DISCLOSURES[profile.code].steps() if one.code == report["step"])


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 or not share else "< 1 %"
