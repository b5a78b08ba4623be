"""Disclosure control: counted as pycanon counts, and no one is found more easily than it says."""

from collections import Counter
from functools import partial

import pandas
import pytest
from pycanon import anonymity

from registry.core.dictionary import items_of
from registry.exports.disclosure.declared import DISCLOSURES, SMALL_SITE, SUPPRESSED
from registry.exports.profiles import MAJOR_EVENTS, PROFILES
from registry.exports.worked_out import WORST_OUTCOMES
from registry.visits.crf import FORMS
from registry.visits.models import Event

from .synthetic import QUASI, disclosed, population

CASES = [
    (profile, number, k, seed)
    for profile in DISCLOSURES
    for number, k in ((12, 5), (60, 2), (300, 5), (900, 11))
    for seed in range(2)
]
cases = pytest.mark.parametrize(("profile", "number", "k", "seed"), CASES)


@pytest.fixture
def disclose(owner_session):
    return partial(disclosed, owner_session)


# What a level tells, said once more and otherwise: of the oracle.
AGES = {
    1: lambda age: age,
    5: lambda age: age - age % 5,
    10: lambda age: age - age % 10,
    20: lambda age: age - age % 20,
}


def generalised(people, level, k):
    """The quasi-identifiers of everybody at the levels of a step."""
    sizes = people["site"].value_counts()
    years = int(level["age"].code.removeprefix("age_"))
    found = pandas.DataFrame({"sex": people["sex"], "age": people["age"].map(AGES[years])})
    found["period"] = {
        "half_year": people["period"],
        "year": people["period"].str[:4],
        "no_period": "",
    }[level["period"].code]
    small = people["site"].map(sizes) < SMALL_SITE * k
    found["site"] = {
        "site": people["site"],
        "small_sites": people["site"].where(~small, 0),
        "no_site": 0,
    }[level["site"].code]
    return found


def test_what_is_declared_is_what_there_is():
    assert DISCLOSURES.keys() == PROFILES.keys()
    for declared in DISCLOSURES.values():
        climbed = Counter(declared.order)
        assert {name: climbed[name] + 1 for name in declared.ladders} == {
            name: len(levels) for name, levels in declared.ladders.items()
        }
        assert {one.form for one in declared.outcomes} <= FORMS.keys()
    assert set(MAJOR_EVENTS) < {code for code, _label in items_of(Event)["kind"].choices}
    outcomes = PROFILES["limited"].worked_out["ulcer.ulcer_outcome"].choices
    assert set(WORST_OUTCOMES) == set(outcomes)


@cases
def test_every_step_is_counted_as_pycanon_counts(disclose, profile, number, k, seed):
    people = population(seed, number)
    report = disclose(people, profile, k, share=-1).report  # so that every step is tried
    steps = list(DISCLOSURES[profile].steps())
    assert [one["step"] for one in report["steps"]] == [one.code for one in steps]
    for step, counted in zip(steps, report["steps"], strict=True):
        seen = generalised(people, step.levels, k)
        sizes = Counter(seen.itertuples(index=False, name=None))
        assert counted["smallest"] == anonymity.k_anonymity(seen, QUASI)
        assert counted["classes"] == len(sizes)
        assert counted["uniques"] == sum(size == 1 for size in sizes.values())
        assert counted["below"] == sum(size for size in sizes.values() if size < k)
        assert counted["risk"]["mean"] == pytest.approx(
            sum(1 / sizes[one] for one in seen.itertuples(index=False, name=None)) / number,
            abs=1e-4,
        )
        assert counted["risk"]["maximal"] == pytest.approx(1 / min(sizes.values()), abs=1e-4)


@cases
def test_what_is_shown_is_what_the_report_says(disclose, profile, number, k, seed):
    """Also that those suppressed are k, or none, and no more than it takes."""
    people = population(seed, number)
    done = disclose(people, profile, k)
    report, shown = done.report, done.shown.fillna("missing")
    assert len(shown) == number
    assert report["after"]["smallest"] == anonymity.k_anonymity(shown, QUASI) >= k
    assert report["after"]["below"] == 0
    gone = (shown[["sex", "age"]] == "missing").all(axis=1)
    assert report["suppressed"] == gone.sum()
    assert (shown.loc[gone, QUASI] == "missing").all(axis=None)
    assert set(shown.loc[gone, "class"]) <= {0}
    for one in report["outcomes"]:
        name = one["outcome"]
        assert one["l"] == anonymity.l_diversity(shown, QUASI, [name])
        all_have = shown.groupby(QUASI)[name].apply(lambda values: (values != "none").all())
        assert one["everybody"] == all_have.sum()
        assert one["people"] == (shown[name] != "none").sum()
    # What is not suppressed is told as the step says.
    step = next(s for s in DISCLOSURES[profile].steps() if s.code == report["step"])
    seen = generalised(people, step.levels, k)
    sizes = seen.groupby(QUASI)["sex"].transform("size")
    told = {name for name in QUASI if not (seen[name].isin(["", 0]).all())}
    for name in told:
        assert list(shown.loc[~gone, name]) == list(seen.loc[~gone, name])
    small = (sizes < k).sum()
    assert gone.sum() == small or small < k <= gone.sum() <= small + min(sizes[sizes >= k])


@cases
def test_the_first_step_that_suppresses_few_is_taken_or_that_with_fewest(
    disclose, profile, number, k, seed
):
    report = disclose(population(seed, number), profile, k).report
    suppressed = {one["step"]: one["suppressed"] for one in report["steps"]}
    assert report["suppressed"] == suppressed[report["step"]] == min(suppressed.values())
    few = [step for step, people in suppressed.items() if people <= SUPPRESSED * number]
    if few:
        assert few == [report["step"]] == list(suppressed)[-1:]
    else:
        assert list(suppressed) == [one.code for one in DISCLOSURES[profile].steps()]


@pytest.mark.parametrize("profile", DISCLOSURES)
def test_fewer_people_than_k_are_blocked_and_k_are_not(disclose, profile):
    people = population(1, 7)
    assert disclose(people, profile, 8).report["blocked"]
    report = disclose(people, profile, 7).report
    assert (report["blocked"], report["after"]["smallest"]) == (False, 7)


def attack(people, shown, k):
    """Each one's chance to be found by who knows him, the rules, and whether he is suppressed."""
    sizes = people["site"].value_counts()
    rows = list(shown.where(shown.notna(), None).itertuples(index=False))
    for known, own in zip(people.itertuples(index=False), rows, strict=True):
        small = sizes[known.site] < SMALL_SITE * k
        fit = [row for row in rows if fits(known, row, small) and bool(row.sex) == bool(own.sex)]
        assert own in fit
        yield 1 / len(fit)


def fits(known, row, small):
    """Whether a row may be that of a person known by sex, age, half-year and site."""
    if row.sex is None:
        return True
    return (
        row.sex == known.sex
        and row.age <= known.age < (row.below or 1000)
        and known.period.startswith(row.period or "")
        and row.site in (None, 0 if small else known.site, known.site)
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("profile", "k"), [("limited", 5), ("safe_harbor", 11)])
def test_an_attack_finds_nobody_more_easily_than_the_report_says(disclose, profile, k, seed):
    people = population(seed, 400)
    done = disclose(people, profile, k)
    chances = list(attack(people, done.shown, k))
    risk = done.report["after"]["risk"]
    assert max(chances) <= risk["maximal"] + 1e-4
    assert risk["maximal"] <= 1 / k
    assert sum(chances) / len(chances) <= risk["mean"] + 1e-4
    # The same attack on what the profile would let leave finds many.
    bare = disclose(people, profile, 1)
    assert (bare.report["step"], bare.report["suppressed"]) == ("finest", 0)
    assert sum(attack(people, bare.shown, 1)) > 3 * sum(chances)
