"""What may be asked for, and what is told about numbers before it is sent."""

from collections import Counter
from datetime import date

import pytest
from django.db import connection

from registry.access.scope import user_scope
from registry.exports import actions, tasks, withheld
from registry.exports.actions import ExportError, building
from registry.exports.models import Dataset, DatasetRequest
from registry.exports.profiles import LIMITED, PROFILES, SAFE_HARBOR
from registry.exports.tables import tables
from registry.participants import actions as participants

from .. import build, owner
from .conftest import ENROLLED, FORMS, filled


def told(number):
    """OpenSAFELY's order: seven and fewer are hidden, then the nearest five."""
    return (number + 2) // 5 * 5 if number >= 8 else None


def told_rows(people, number):
    """The average to a fifth, times the people told."""
    return told(people) // 5 * int(5 * number / people + 0.5)


def asked(**about):
    about = {"profile": "safe_harbor", "forms": FORMS, "arms": ["cvi"]} | about
    return DatasetRequest(**about)


def sent(by, **about):
    about = {"profile": "safe_harbor", "forms": FORMS, "arms": ["cvi"], "by": by} | about
    return actions.request_dataset(title="Calcium", purpose="To learn", **about)


# -- choices ----------------------------------------------------------------------------------

HALF_YEAR = {"enrolled_from": date(2024, 1, 1), "enrolled_to": date(2024, 6, 30)}
YEARS = {"enrolled_from": date(2023, 1, 1), "enrolled_to": date(2024, 12, 31)}


@pytest.mark.parametrize(
    ("about", "item", "message"),
    [
        ({"profile": "safe_harbor", "sites": "TKY"}, "sites", "leaves the site out"),
        ({"profile": "limited", "sites": "?"}, "sites", "no such site"),
        ({"profile": "safe_harbor"} | HALF_YEAR, "enrolled_to", "calendar years"),
        ({"enrolled_from": date(2024, 7, 1)}, "enrolled_from", "calendar years"),
        ({"profile": "limited", "enrolled_from": date(2024, 4, 1)}, "enrolled_from", "half-years"),
        ({"profile": "limited", "enrolled_to": date(2024, 6, 29)}, "enrolled_to", "half-years"),
        (
            {"enrolled_from": date(2025, 1, 1), "enrolled_to": date(2024, 12, 31)},
            "enrolled_to",
            "ends before it begins",
        ),
        ({"classes": [7]}, "classes", "no such class"),
        ({"formats": []}, "formats", "at least one format"),
        ({"formats": ["xls"]}, "formats", "at least one format"),
    ],
)
def test_a_choice_that_tells_more_than_the_profile_is_refused(cohort, about, item, message):
    if "sites" in about:
        about = about | {"sites": [cohort.tokyo.pk if about["sites"] == "TKY" else 10**6]}
    with pytest.raises(ExportError, match=message) as refused:
        sent(cohort.fay, **about)
    assert refused.value.item == item
    assert not DatasetRequest.objects.exists()


@pytest.mark.parametrize(
    "about",
    [
        YEARS,
        {"profile": "limited"} | HALF_YEAR,
        {"profile": "limited", "sites": "TKY", "classes": [4, 4, 2]},
        {"formats": ["parquet"], "enrolled_from": date(2024, 1, 1)},
    ],
)
def test_a_choice_that_fits_is_kept(cohort, about):
    if about.get("sites"):
        about = about | {"sites": [cohort.tokyo.pk]}
    kept = DatasetRequest.objects.get(pk=sent(cohort.fay, **about).pk)
    for name, value in about.items():
        assert getattr(kept, name) == (sorted(set(value)) if isinstance(value, list) else value)


def test_a_request_of_nobody_cannot_be_sent(cohort):
    for about in (
        {"arms": ["control"]},
        {"classes": [0]},
        {"enrolled_to": date(2020, 12, 31)},
    ):
        with pytest.raises(ExportError, match="nothing to ask for"):
            sent(cohort.fay, **about)
    assert not DatasetRequest.objects.exists()


# -- numbers ----------------------------------------------------------------------------------


def counts(**about):
    one = asked(**about)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM registry_sharing_counts(%s, %s, %s, %s, %s::smallint[])",
            [one.arms, one.sites, one.enrolled_from, one.enrolled_to, one.classes],
        )
        return [row for row in cursor.fetchall() if row[2] is not None]


def test_every_reason_is_counted_in_its_turn(cohort):
    stopped = [build.participant(cohort.ana, enrolled_on=ENROLLED) for _ in range(8)]
    for _ in range(8):
        build.participant(cohort.ana, enrolled_on=ENROLLED, consent={"allows_sharing": False})
        build.participant(cohort.ben, enrolled_on=ENROLLED)
    with user_scope(cohort.ana):
        for someone in stopped:
            participants.withdraw_consent(
                by=cohort.ana, participant=someone, on=cohort.tokyo.today, scope="stop_sharing"
            )
    # Eleven share: three of class 4 with a film, eight of Rio who were not examined.
    everybody = {("not_allowed", "", 10), ("withdrawn", "", 10)}
    assert everybody | {("included", "", 10)} <= set(counts())
    assert dict(actions.preview(asked()).left_out) == {
        "not in the chosen arms": None,
        "consent to sharing absent": 10,
        "sharing withdrawn": 10,
    }
    shown = actions.preview(
        asked(profile="limited", sites=[cohort.tokyo.pk], enrolled_to=date(2023, 12, 31))
    )
    assert dict(shown.left_out) == {
        "not in the chosen arms": None,
        "not at the chosen sites": 10,
        "not enrolled in the chosen period": 20,
        "consent to sharing absent": None,
        "sharing withdrawn": None,
    }
    assert (shown.empty, shown.divisions) == (True, [])
    few = actions.preview(asked(classes=[4]))
    assert dict(few.left_out)["not of the chosen classes"] == 25
    assert (few.included, few.empty, few.visits, few.films, few.divisions) == (
        None,
        False,
        None,
        None,
        [],
    )


def test_a_period_holds_its_first_and_its_last_day(cohort):
    for day in (date(2023, 1, 1), date(2023, 12, 31)):
        for _ in range(8):
            build.participant(cohort.ana, enrolled_on=day)
    assert actions.preview(asked(enrolled_to=date(2022, 12, 31))).empty
    year = asked(enrolled_from=date(2023, 1, 1), enrolled_to=date(2023, 12, 31))
    assert actions.preview(year).included == 15
    assert actions.preview(asked(enrolled_from=date(2023, 1, 1))).included == 20


def test_nothing_small_is_told_not_even_that_it_is_none(cohort):
    """Three share, nobody withdrew: no number but those of everybody else."""
    assert counts() == []
    assert counts(arms=["control"]) == [("included", "", 0)]


def test_a_number_is_hidden_then_rounded(cohort):
    people = owner.rows("SELECT n, release.told(n) FROM generate_series(0, 39) n")
    assert [shown for _number, shown in people] == [told(number) for number in range(40)]
    of_rows = owner.rows(
        "SELECT n, r, release.told_rows(n, r)"
        " FROM generate_series(0, 39) n, generate_series(0, 99, 7) r"
    )
    assert len(of_rows) == 40 * 15
    for number, rows, shown in of_rows:
        assert shown == (told_rows(number, rows) if number >= 8 else None)


def test_an_average_leaves_every_number_of_people_possible():
    """Of so many people told, whatever average is told can be that of any number of them."""
    for people in range(8, 60):
        same = [n for n in range(8, 62) if told(n) == told(people)]
        for rows in range(25 * people):
            shown = told_rows(people, rows)
            for other in same:
                near = rows * other // people
                assert any(
                    told_rows(other, max(0, near + step)) == shown for step in range(-12, 13)
                )


# Every registry of up to so many people in two arms and three classes, what is told of each, and
# the hidden groups' numbers that all registries of which the same is told have between them.
RECOVERED = """
WITH worlds AS (
    SELECT n, ARRAY[a, n - a] || ARRAY[b, c, n - b - c] AS numbers
    FROM generate_series(0, %s) n, generate_series(0, n) a, generate_series(0, n) b,
        generate_series(0, n - b) c
), shown AS (
    SELECT w.numbers, w.n, (
        SELECT array_agg(ARRAY[t.division, t.code, t.number::text] ORDER BY t.division, t.code)
        FROM release.told_groups(w.n, '{arm,arm,class,class,class}', '{1,2,1,2,3}', w.numbers) t
    ) AS told, release.told(w.n) AS people FROM worlds w WHERE w.n >= 8
)
SELECT count(*), sum(same) FROM (
    SELECT s.people, s.told, i, count(*) AS same
    FROM shown s, generate_series(1, 5) i
    GROUP BY s.people, s.told, i
    HAVING min(s.numbers[i]) < 8 AND count(DISTINCT s.numbers[i]) = 1
) recovered
"""


def test_no_hidden_group_can_be_recovered(cohort):
    assert owner.rows(RECOVERED, 34) == [(0, None)]


def test_groups_that_only_their_end_fits_are_not_told(cohort):
    """Four times seven make 28, told as 30: all would be known to be seven."""
    classes = ["class"] * 4, list("1234")
    told_of = "SELECT * FROM release.told_groups(%s, %s, %s, %s)"
    assert owner.rows(told_of, 28, *classes, [7, 7, 7, 7]) == []
    assert len(owner.rows(told_of, 27, *classes, [7, 7, 7, 6])) == 4


@pytest.mark.parametrize("profile", PROFILES)
def test_a_preview_equals_the_dataset(cohort, built, profile):
    for number in range(9):
        filled(cohort.ana, sex="female" if number % 2 else "male")
    for _ in range(8):
        build.participant(cohort.ben, enrolled_on=ENROLLED, arm="control")
    for about in (
        {"arms": ["cvi", "control"]},
        {"arms": ["cvi", "control"], "classes": [4]},
        {"enrolled_from": date(2024, 1, 1), "enrolled_to": date(2024, 12, 31)},
        {"arms": ["control", "cvi"], "enrolled_from": date(2025, 1, 1)},
        {"sites": [cohort.tokyo.pk]},
    ):
        if "sites" in about and not PROFILES[profile].tells_sites:
            continue
        shown = actions.preview(asked(profile=profile, **about))
        if shown.empty:
            continue
        opened = built(profile, **about)
        rows = opened.table("participants")
        assert opened.manifest["sites_chosen"] == len(about.get("sites", []))
        assert opened.manifest["classes"] == about.get("classes", [])
        assert shown.included == told(len(rows))
        assert shown.visits == told_rows(len(rows), len(opened.table("visits")))
        assert shown.films == told_rows(len(rows), len(opened.table("xray")))
        sizes = Counter(row["participant_arm"] for row in rows)
        divisions = {one.label: dict(one.groups) for one in shown.divisions}
        if len(about.get("arms", [])) > 1 and divisions["Arm"]:
            assert list(divisions["Arm"].values()) == [
                told(sizes[arm]) for arm in ("cvi", "control")
            ]


# -- what leaves changed -------------------------------------------------------------------------


def test_the_list_of_what_is_left_out_follows_the_profile_and_the_forms():
    def listed(profile, why):
        found = {one.why: one.items for one in withheld.changed(profile, tables(profile))}
        return found[why]

    assert {"Site", "Cause of death", "Examiner"} <= listed(SAFE_HARBOR, withheld.TOO_RARE).keys()
    assert "Site" in listed(LIMITED, withheld.COARSER)
    assert not {"Site", "Cause of death"} & listed(LIMITED, withheld.TOO_RARE).keys()
    for profile in PROFILES.values():
        assert "Note" in listed(profile, withheld.FREE_TEXT)
        assert "Study number" in listed(profile, withheld.IDENTIFIES)
        assert listed(profile, withheld.STUDY_DAYS)["Target date"] == ["Visits"]
        alone = withheld.changed(profile, [one for one in tables(profile) if not one.form])
        assert "Examiner" not in {label for one in alone for label in one.items}


# -- cancelling ----------------------------------------------------------------------------------


def test_a_queued_build_is_cancelled_at_once(cohort, order):
    dataset = order()
    actions.cancel_dataset(by=cohort.fay, dataset=dataset)
    tasks.build_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.cancelled_by) == ("failed", cohort.fay)
    assert dataset.error == "Fay Okafor cancelled the build."
    with pytest.raises(ExportError, match="too late"):
        actions.cancel_dataset(by=cohort.fay, dataset=dataset)


def test_a_build_stops_when_it_is_cancelled_and_leaves_nothing(cohort, order, monkeypatch):
    dataset, tell = order(), building._progress

    def cancelled_at_ceap(one, stage, rows=0):
        if stage == "ceap":
            actions.cancel_dataset(by=cohort.jun, dataset=dataset)
        tell(one, stage, rows)

    monkeypatch.setattr(building, "_progress", cancelled_at_ceap)
    tasks.build_dataset(dataset.pk)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.stored_as) == ("failed", "")
    assert dataset.error == f"{cohort.jun.name} cancelled the build."
    assert owner.rows("SELECT count(*) FROM exports_pseudonym") == [(0,)]


def test_a_build_that_stores_its_file_is_not_cancelled(cohort, order):
    dataset = order()
    Dataset.objects.update(state="building", stage="storing")
    with pytest.raises(ExportError, match="too late"):
        actions.cancel_dataset(by=cohort.fay, dataset=dataset)
    Dataset.objects.update(stage="ceap")
    with pytest.raises(ExportError, match="another researcher"):
        actions.cancel_dataset(by=cohort.gus, dataset=dataset)
