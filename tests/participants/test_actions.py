"""Enrolment, duplicates, consent and withdrawal: state, history and queries afterwards."""

from datetime import date, timedelta

import pytest

from registry.access.models import User
from registry.access.scope import scope, user_scope
from registry.audit.models import Change
from registry.participants import actions, rules, vault
from registry.participants.actions import DuplicateError, ParticipantError
from registry.participants.models import Consent, ConsentVersion, Identity, Participant, Screening
from registry.quality.actions import recheck
from registry.quality.models import DataQuery
from registry.visits import actions as visits
from registry.visits.models import FormEntry, Visit

from .. import build

WHO = build.person(family_name="Sato", phone="03-5555-0100", hospital_number="HN 1")


def enrolled(by, person, another_person=False, **values):
    screened = build.screening(by)
    build.consent(by, screened)
    values = {
        "sex": "male",
        "enrolled_on": screened.screened_on,
        "onset_year": 2000,
        "recruited_in": ["other"],
    } | values
    with user_scope(by):
        return visits.enrol_and_plan(
            by=by,
            screening=screened,
            person=person,
            values=values,
            another_person=another_person,
        )


# -- numbers and duplicates ------------------------------------------------------------------


def test_numbers_run_on_within_a_site(cast):
    numbers = [build.participant(by).study_number for by in (cast.ana, cast.ana, cast.ben)]
    assert numbers == [
        rules.study_number("TKY", 1),
        rules.study_number("TKY", 2),
        rules.study_number("RIO", 1),
    ]


@pytest.mark.parametrize(
    "same",
    [
        {"family_name": "SATO", "birth_date": WHO.birth_date},
        {"hospital_number": "ＨＮ－１"},
        {"phone": "+81 3 5555 0100"},
    ],
)
def test_a_person_known_here_is_named_and_takes_no_number(cast, same):
    first = enrolled(cast.ana, WHO)
    with pytest.raises(DuplicateError) as refused:
        enrolled(cast.ana, build.person(**same))
    assert refused.value.same == [first]
    assert first.study_number in str(refused.value)
    other = enrolled(cast.ana, build.person(**same), another_person=True)
    assert other.study_number == rules.study_number("TKY", 2)


def test_a_namesake_born_on_another_day_is_nobody_known(cast):
    enrolled(cast.ana, WHO)
    enrolled(cast.ana, build.person(family_name="Sato", birth_date=date(1955, 6, 2)))


def queries(by, **which):
    with user_scope(by):
        return list(DataQuery.objects.filter(rule="possible_duplicate", **which))


def test_a_person_known_elsewhere_is_told_to_the_data_manager_only_that(cast):
    here = enrolled(cast.ana, WHO)
    there = enrolled(cast.ben, WHO)
    assert queries(cast.ana) == []
    (query,) = queries(cast.ines)
    assert query.audience == DataQuery.Audience.DATA_MANAGER
    assert (query.site_id, query.participant_no) == (cast.rio.pk, there.pk)
    assert "TKY" not in query.message
    assert here.study_number not in query.message
    assert "Tokyo" not in query.message


def test_a_possible_duplicate_outlives_rechecks_and_ends_with_the_reason(cast):
    enrolled(cast.ana, WHO)
    there = enrolled(cast.ben, WHO)
    for by in (cast.ben, cast.ines, cast.eli):
        with user_scope(by):
            recheck(by=by, site_id=cast.rio.pk, participant_no=there.pk)
    (query,) = queries(cast.ines)
    assert query.state == DataQuery.State.NEW
    corrected = build.person(family_name="Santos")
    with user_scope(cast.ben):
        actions.correct_identity(by=cast.ben, participant=there, person=corrected, reason="typo")
    assert [query.state for query in queries(cast.ines)] == [DataQuery.State.CLOSED]


def test_nobody_asks_about_a_participant_they_cannot_see(cast):
    mine = enrolled(cast.ana, WHO)
    enrolled(cast.ben, WHO)
    with user_scope(cast.ana):
        assert vault.known_elsewhere(mine.pk)
    with user_scope(cast.ben):
        assert not vault.known_elsewhere(mine.pk)
    assert not vault.known_elsewhere(mine.pk)


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "person", "item"),
    [
        ({"enrolled_on": date(2200, 1, 1)}, {}, "enrolled_on"),
        ({"enrolled_on": date(2000, 1, 1)}, {}, "enrolled_on"),
        ({"onset_year": None}, {}, "onset_year"),
        ({"onset_year": 1950}, {}, "onset_year"),
        ({}, {"birth_date": date(2015, 1, 1)}, "birth_date"),
        ({}, {"birth_date": date(1855, 1, 1)}, "birth_date"),
    ],
)
def test_an_enrolment_that_cannot_be_leaves_nothing(cast, values, person, item):
    with pytest.raises(ParticipantError) as refused:
        enrolled(cast.ana, build.person(**person), **values)
    assert refused.value.item == item
    with user_scope(cast.ana):
        assert not Participant.objects.exists()
        assert not Visit.objects.exists()
    cast.tokyo.refresh_from_db()
    assert cast.tokyo.last_number == 0


def test_no_enrolment_without_consent_nor_twice(cast):
    screened = build.screening(cast.ana)
    values = {
        "sex": "male",
        "enrolled_on": screened.screened_on,
        "onset_year": 2000,
        "recruited_in": ["other"],
    }

    def enrol():
        with user_scope(cast.ana):
            return actions.enrol(
                by=cast.ana, screening=screened, person=build.person(), values=values
            )

    with pytest.raises(ParticipantError, match="No consent is signed"):
        enrol()
    build.consent(cast.ana, screened)
    enrol()
    with pytest.raises(ParticipantError, match="already enrolled"):
        enrol()


def test_who_is_not_eligible_is_kept_with_reasons_and_takes_no_consent(cast):
    screened = build.screening(cast.ana, pregnant=True, adult=False)
    assert screened.reasons == ["not_adult", "pregnant"]
    assert screened.reasons_in_words[0] == "not an adult"
    with pytest.raises(ParticipantError, match="not eligible"):
        build.consent(cast.ana, screened)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"signed_on": date(2200, 1, 1)}, "future"),
        ({"signed_on": date(2019, 12, 31)}, "not in force"),
    ],
)
def test_a_consent_that_cannot_hold(cast, values, message):
    screened = build.screening(cast.ana)
    with pytest.raises(ParticipantError, match=message):
        build.consent(cast.ana, screened, **values)


def test_a_consent_is_recorded_once(cast):
    screened = build.screening(cast.ana)
    build.consent(cast.ana, screened)
    with pytest.raises(ParticipantError, match="recorded already"):
        build.consent(cast.ana, screened)


def test_a_control_is_matched_to_a_case_of_the_site_in_any_spelling(cast):
    case = build.participant(cast.ana)
    build.participant(cast.ben)
    build.participant(cast.ben)
    control = {"arm": "control", "venous_status": "absent"}
    screened = build.screening(cast.ana, matched_to="tky 1", **control)
    assert screened.matched_to == case.study_number
    other = build.participant(cast.ana, arm="control")
    for wrong in ("2", "RIO-1", other.study_number, "TKY-0001-?", "nobody"):
        with pytest.raises(ParticipantError) as refused:
            build.screening(cast.ana, matched_to=wrong, **control)
        assert refused.value.item == "matched_to"


def test_a_new_mandatory_version_blocks_entry_until_it_is_signed(cast):
    mine = build.participant(cast.ana)
    today = mine.site.today
    with scope(cast.kei, [cast.tokyo.pk]):
        actions.add_consent_version(
            by=cast.kei,
            site=cast.tokyo,
            values={
                "code": "2.0",
                "in_force_from": today,
                "in_force_until": None,
                "mandatory": True,
            },
        )
    with user_scope(cast.ana):
        with pytest.raises(ParticipantError, match="new version"):
            actions.require_entry(mine)
        actions.take_consent(
            by=cast.ana,
            screening=mine.screening,
            version=ConsentVersion.objects.get(site=cast.tokyo, code="2.0"),
            values={
                "signed_on": today,
                "allows_images": True,
                "allows_sharing": True,
                "allows_contact": True,
            },
        )
        actions.require_entry(mine)


# -- withdrawal ------------------------------------------------------------------------------


def withdraw(by, participant, scope_, on=None, reason=""):
    with user_scope(by):
        actions.withdraw_consent(
            by=by,
            participant=participant,
            on=on or participant.site.today,
            scope=scope_,
            reason=reason,
        )


@pytest.mark.parametrize(
    ("scope_", "entry", "contact_stopped", "erased"),
    [
        ("stop_contact", True, True, False),
        ("stop_collection", False, True, False),
        ("stop_sharing", True, False, False),
        ("erase_identity", False, True, True),
    ],
)
def test_a_withdrawal_takes_effect_at_once(cast, scope_, entry, contact_stopped, erased):
    mine = build.participant(cast.ana)
    visit = build.attended(cast.ana, mine)
    withdraw(cast.ana, mine, scope_, reason="by telephone")
    if entry:
        build.form(cast.ana, visit, "vcss", "right")
    else:
        with pytest.raises(ParticipantError, match="withdrawn"):
            build.form(cast.ana, visit, "vcss", "right")
    with user_scope(cast.ana):
        entries = FormEntry.objects.filter(state=FormEntry.State.COMPLETE)
        assert entries.exists() == entry
        stopped = Participant.objects.with_consent().get(pk=mine.pk)
        assert stopped.contact_stopped == contact_stopped
        assert stopped.collection_stopped == (not entry)
        assert (Participant.objects.get(pk=mine.pk).identity.erased_at is not None) == erased
        change = Change.objects.filter(label="participants.consent", action="update").get()
        assert change.changes["withdrawal_scope"] == [None, scope_]
        assert (change.by, change.reason) == (cast.ana, "by telephone")


def test_a_withdrawal_holds_wherever_the_clock_stands(cast, settings):
    """Tokyo's day begins nine hours before UTC's, in which central roles and tasks work."""
    mine = build.participant(cast.ana)
    withdraw(cast.ana, mine, "stop_contact")
    with scope(User.objects.system("recall"), [cast.tokyo.pk]):
        Consent.objects.update(withdrawn_on=cast.tokyo.today + timedelta(days=1))
        assert Participant.objects.with_consent().get(pk=mine.pk).contact_stopped


def test_a_further_withdrawal_adds_to_the_former(cast):
    mine = build.participant(cast.ana)
    for scope_ in ("stop_sharing", "stop_contact", "erase_identity"):
        withdraw(cast.ana, mine, scope_)
    with user_scope(cast.ana):
        consents = Consent.objects.filter(screening=mine.screening)
        gone = rules.withdrawn_scopes(consents, mine.site.today)
        assert gone == {"stop_sharing", "stop_contact", "erase_identity"}
        assert Identity.objects.get(participant=mine).erased_at


@pytest.mark.parametrize(
    ("on", "message"), [(date(2200, 1, 1), "future"), (date(2020, 1, 2), "before the consent")]
)
def test_a_withdrawal_on_an_impossible_day(cast, on, message):
    mine = build.participant(cast.ana)
    with pytest.raises(ParticipantError, match=message):
        withdraw(cast.ana, mine, "stop_contact", on=on)


def test_the_same_is_not_withdrawn_twice(cast):
    mine = build.participant(cast.ana)
    withdraw(cast.ana, mine, "stop_contact")
    with pytest.raises(ParticipantError, match="withdrawn already"):
        withdraw(cast.ana, mine, "stop_contact")


def test_screenings_of_another_site_do_not_exist(cast):
    screened = build.screening(cast.ana)
    with user_scope(cast.ben):
        assert not Screening.objects.filter(pk=screened.pk).exists()
