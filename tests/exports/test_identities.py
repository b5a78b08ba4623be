"""What leaves names nobody: no identity, no date, names for one project alone."""

import io
import re
import zipfile
from datetime import date, timedelta

import pytest

from registry.access.scope import user_scope
from registry.core import dates
from registry.participants import actions as participants
from registry.participants.models import Participant, Screening
from registry.visits.models import FormEntry, Visit

from .. import build, owner
from .conftest import CANARY, ENROLLED, filled

DATE = re.compile(rb"\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}[/.]\d{4}|\b(19|20)\d{6}\b")


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_no_identity_no_free_text_and_no_date_leaves(cohort, built, profile):
    """Canaries stand in every column of text, bytes and dates that is not released."""
    someone = cohort.people[0]
    who = build.person(
        family_name=f"{CANARY}family",
        given_name=f"{CANARY}given",
        birth_date=date(1933, 11, 22),
        hospital_number=f"{CANARY}hospital",
        phone="0998877665544",
        email=f"{CANARY}@example.org",
        address=f"{CANARY} street",
    )
    filled(cohort.ana, person=who)
    with user_scope(cohort.ana):
        Visit.objects.filter(participant=someone, code="M03").update(
            missed_because=f"{CANARY} missed", booked_place=f"{CANARY} place"
        )
        visit = Visit.objects.get(participant=someone, code="BL")
        record = visit.entries.get(form="laboratory").record()
        type(record).objects.filter(pk=record.pk).update(
            absent={"pth": "not_done", "crp": f"{CANARY} absent", CANARY: "not_done"},
            confirmed={"calcium_total": CANARY},
        )
        FormEntry.objects.filter(pk=visit.entries.get(form="xray", limb="left").pk).update(
            draft={"note": [f"{CANARY} draft"]}, state="draft"
        )
    opened = built(profile)
    everything = opened.everything
    assert CANARY.lower().encode() not in everything.lower()
    with user_scope(cohort.ana):
        numbers = list(Participant.objects.values_list("study_number", flat=True))
    assert len(numbers) == 3
    for secret in [*numbers, "0998877665544", "Tokyo", "TKY-", "ana@", "Ana Sato"]:
        assert secret.encode() not in everything
    for table in opened.tables:
        text = opened.text(table)
        assert "TKY" not in text, table  # three letters come up by chance in what is packed
        assert not DATE.search(text.encode()), table


def test_dates_leave_as_study_days(finished):
    opened = finished["safe_harbor"]
    [baseline] = {
        (row["visit_target_on"], row["visit_attended_on"])
        for row in opened.table("visits")
        if row["visit"] == "BL"
    }
    assert baseline == ("0", "2")
    for ulcer in opened.table("ulcers"):
        assert ulcer["ulcer_onset_on"] == "-30"  # February, enrolled in March
        assert ulcer["ulcer_onset_on_precision"] == "month"
    assert {row["participant_enrolled_on"] for row in opened.table("participants")} == {"2024"}
    assert {row["participant_age_at_enrolment"] for row in opened.table("participants")} == {
        "60 to 69"
    }


def days_told(onset):
    """As the protocol tells a partial date: whole years, whole months, or exactly."""
    year, month, day = (int(part) for part in f"{onset}-01-01"[:10].split("-"))
    match dates.precision(onset):
        case "year":
            return (year - ENROLLED.year) * 365
        case "month":
            return ((year - ENROLLED.year) * 12 + month - ENROLLED.month) * 30
        case _:
            return (date(year, month, day) - ENROLLED).days


@pytest.mark.parametrize("profile", ["safe_harbor", "limited"])
def test_partial_dates_leave_as_whole_years_and_months(cohort, built, profile):
    onsets = ["1999", "2024", "2023-02", "2024-03", "2024-12", "2024-03-01", "2023-12-31"]
    with user_scope(cohort.ana):
        one = cohort.people[0].ulcers.get()
        for number, onset in enumerate(onsets, 2):
            one.pk, one.label, one.onset_on = None, f"R{number}", onset
            one.save(force_insert=True)
    rows = {row["ulcer"]: row for row in built(profile, forms=["ulcers"]).table("ulcers")}
    told = [rows[f"R{number}"]["ulcer_onset_on"] for number, _onset in enumerate(onsets, 2)]
    assert told == [str(days_told(onset)) for onset in onsets]
    assert told[:5] == ["-9125", "0", "-390", "0", "270"]
    for number, onset in enumerate(onsets, 2):
        assert rows[f"R{number}"]["ulcer_onset_on_precision"] == dates.precision(onset)


def test_ages_are_capped_and_banded(cohort, built):
    oldest = build.person(birth_date=date(1925, 1, 1))
    build.participant(cohort.ana, enrolled_on=ENROLLED, person=oldest)
    bands = {r["participant_age_at_enrolment"] for r in built().table("participants")}
    assert bands == {"60 to 69", "90+"}
    ages = {r["participant_age_at_enrolment"] for r in built("limited").table("participants")}
    assert ages == {"68", "90"}


def test_stand_ins_are_the_same_for_the_same_and_other_for_others(finished):
    opened = finished["limited"]
    sites = [row["participant_site"] for row in opened.table("participants")]
    assert sorted(map(sites.count, set(sites))) == [1, 2]
    readers = {row["reading_reader"] for row in opened.table("readings")}
    assert readers == {"1", "2"}
    # One name typed at two sites is two examiners.
    assert {row["ceap_examiner"] for row in opened.table("ceap")} == {"1", "2"}


def test_rows_stand_in_the_order_of_pseudonyms(cohort, built):
    for _ in range(5):
        build.participant(cohort.ana, enrolled_on=ENROLLED)
    opened = built()
    for table in opened.tables:
        names = [row["participant"] for row in opened.table(table)]
        assert names == sorted(names)
    enrolled = dict(owner.rows("SELECT code, participant_id FROM exports_pseudonym"))
    keys = [enrolled[row["participant"]] for row in opened.table("participants")]
    assert keys != sorted(keys)


def test_pseudonyms_last_within_a_project_and_no_further(cohort, built):
    first = built()
    later = built("limited", project=first.dataset.request.project)
    other = built()
    names = [{r["participant"] for r in o.table("participants")} for o in (first, later, other)]
    assert names[0] == names[1]
    assert not names[0] & names[2]


def test_two_projects_cannot_be_joined_by_name_or_order(cohort, built):
    """Nor by when a file was made: that of a build is nowhere but in its manifest."""
    for number in range(6):
        build.participant(cohort.ana, enrolled_on=ENROLLED + timedelta(days=number))
    one, other = built("limited"), built("limited")
    persons = dict(owner.rows("SELECT code, participant_id FROM exports_pseudonym"))
    orders = [
        [persons[row["participant"]] for row in opened.table("participants")]
        for opened in (one, other)
    ]
    assert sorted(orders[0]) == sorted(orders[1])
    assert len(persons) == 2 * len(orders[0])
    assert orders[0] != orders[1]
    for text in (one.everything, other.everything):
        told = {name for name in persons if name.encode() in text}
        assert len(told) == len(orders[0])
    with zipfile.ZipFile(io.BytesIO(one.data)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not archive.comment
        assert not any(entry.comment or entry.extra for entry in archive.infolist())


def test_withdrawn_and_refused_sharing_leaves(cohort, built):
    build.participant(cohort.ana, enrolled_on=ENROLLED, consent={"allows_sharing": False})
    stopped, contact = cohort.people[0], cohort.people[1]
    with user_scope(cohort.ana):
        for someone, scope in ((stopped, "stop_sharing"), (contact, "stop_contact")):
            participants.withdraw_consent(
                by=cohort.ana, participant=someone, on=cohort.tokyo.today, scope=scope
            )
    opened = built()
    assert len(opened.table("participants")) == 2
    assert len(opened.table("ceap")) == 2


def test_the_newest_consent_decides(cohort, built):
    refused, allowed = cohort.people[0], cohort.people[1]
    for someone, allows in ((refused, False), (allowed, True)):
        with user_scope(cohort.ana):
            screened = Screening.objects.select_related("site").get(pk=someone.screening_id)
        build.consent(
            cohort.ana,
            screened,
            signed_on=ENROLLED + timedelta(days=30),
            allows_sharing=allows,
        )
    assert len(built().table("participants")) == 2
