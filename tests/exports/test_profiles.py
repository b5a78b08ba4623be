"""The allow-list: what has no rule stops the build."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from django.db import connection
from psycopg import sql

from registry.core import codebook
from registry.core.dictionary import Kind, Privacy
from registry.exports.checks import problems_of
from registry.exports.profiles import LIMITED, PROFILES, SAFE_HARBOR, UnmappedError
from registry.exports.tables import tables

from .. import build


def without(profile, *names):
    return replace(profile, mapping={k: v for k, v in profile.mapping.items() if k not in names})


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_profiles_are_whole(profile):
    assert problems_of(profile) == []


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("participant.sex", "participant_sex"),
        ("leg_status", "leg_check_leg_status"),
        ("participant.onset_month", "participant_onset_month"),
        ("visit.code", "visit_code"),
    ],
)
def test_an_item_without_a_rule_stops_the_build(name, item):
    [problem] = problems_of(without(SAFE_HARBOR, name))
    assert problem.id == "saphena.E010"
    assert problem.msg.startswith(item)


def test_a_rule_without_an_item_stops_the_build():
    stale = replace(LIMITED, mapping={**LIMITED.mapping, "participant.shoe_size": None})
    [problem] = problems_of(stale)
    assert problem.id == "saphena.E012"


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_nothing_withheld_has_a_column(profile):
    withheld = {
        (entry.form, entry.name)
        for entry in codebook.entries()
        if entry.item.privacy == Privacy.WITHHOLD
    }
    assert withheld
    leaving = {(c.form, c.item) for table in tables(profile) for c in table.columns}
    assert not withheld & leaving


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_everything_released_has_a_column(profile):
    keys = {"visit_code", "ulcer_label"}
    leaving = {(c.form, c.item) for table in tables(profile) for c in table.columns}
    for entry in codebook.entries():
        of_key = entry.export_name in keys or entry.name in ("absent", "arm")
        if entry.item.privacy == Privacy.RELEASE and not of_key:
            assert (entry.form, entry.name) in leaving, entry.export_name


def test_free_text_declared_as_released_is_refused():
    entry = next(e for e in codebook.entries() if e.kind == Kind.TEXT and not e.item.companion_of)
    loose = replace(entry, item=replace(entry.item, privacy=Privacy.RELEASE), name="loose")
    with pytest.raises(UnmappedError, match="never leaves as it is"):
        list(SAFE_HARBOR.columns(loose, "t"))


def columns_of(profile, kind, name=None):
    for entry in codebook.entries():
        if entry.kind == kind and name in (None, f"{entry.form}.{entry.name}"):
            yield entry, next(iter(profile.columns(entry, "p" if name else "t")))


FINEST = {
    "limited": "to_char(day, 'YYYY-H') || CASE WHEN extract(month FROM day) < 7 THEN 1 ELSE 2 END",
    "safe_harbor": "to_char(day, 'YYYY')",
}
"""What of the enrolment is shown at the finest step."""


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_no_partial_date_gives_back_the_day_of_enrolment(db, profile):
    """Whoever knows the stored year or month has at least a month's days of enrolment to choose.

    He reads what leaves of the date, and what leaves of the enrolment itself.
    """
    [(_entry, enrolled)] = columns_of(profile, Kind.DATE, "participant.enrolled_on")
    partial = list(columns_of(profile, Kind.PARTIAL_DATE))
    assert partial
    for entry, column in partial:
        statement = sql.SQL(
            "SELECT t.{item}, {days}, {enrolled} FROM ("
            "SELECT day::date AS enrolled_on, {period} AS shown_period FROM"
            " generate_series('2023-01-01'::date, '2023-12-31', '1 day') day) p"
            " CROSS JOIN unnest(%s::text[]) AS t({item})"
        ).format(
            item=sql.Identifier(str(entry.column.column)),
            days=column.sql,
            enrolled=enrolled.sql,
            period=sql.SQL(FINEST[profile.code]),
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, [["1999", "2022", "2023", "1999-02", "2023-02", "2024-01"]])
            candidates = Counter(cursor.fetchall())
        assert candidates.total() == 6 * 365
        assert min(candidates.values()) >= 28, entry.export_name


def test_duration_of_disease_is_that_of_the_participants_rule(finished):
    from registry.participants.rules import disease_duration_years

    years = round(disease_duration_years(2010, None, date(2024, 3, 5)))
    rows = finished["safe_harbor"].table("participants")
    assert {row["participant_disease_duration_years"] for row in rows} == {str(years)}


def test_without_an_onset_there_is_no_duration(cohort, built):
    build.participant(cohort.ana, enrolled_on=date(2024, 3, 5), arm="control")
    rows = built(arms=["cvi", "control"]).table("participants")
    durations = {row["participant_arm"]: row["participant_disease_duration_years"] for row in rows}
    assert durations["control"] == ""
    assert durations["cvi"] != ""
