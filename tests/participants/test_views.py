"""Pages by status and content: who gets there, what is refused, and what was typed is kept."""

import re

import pytest
from django.urls import reverse

from registry.access.models import Membership
from registry.access.roles import Role
from registry.access.scope import scope, user_scope
from registry.audit.models import Look
from registry.participants import rules
from registry.participants.models import Consent, ConsentVersion, Identity, Participant, Screening

from .. import build

SCREENING = {
    "screened_on": "t",
    "adult": "True",
    "arm": "cvi",
    "cvi_diagnosed": "True",
    "venous_status": "present",
    "able_to_consent": "True",
    "pregnant": "False",
}
CONSENT = {
    "signed_on": "t",
    "allows_images": "True",
    "allows_sharing": "False",
    "allows_contact": "True",
}
ENROLMENT = {
    "family_name": "Himura",
    "given_name": "Hana",
    "birth_date": "1955-06-01",
    "hospital_number": "HN 1",
    "phone": "03-5555-0100",
    "sex": "female",
    "enrolled_on": "t",
    "onset_year": "2001",
    "recruited_in": ["dermatology", "other"],
}


@pytest.fixture
def ana(client, cast):
    client.force_login(cast.ana)
    return client


@pytest.fixture
def mine(cast):
    return build.participant(
        cast.ana, person=build.person(family_name="Himura", phone="0355550100")
    )


@pytest.fixture
def foreign(cast):
    build.participant(cast.ben)
    return build.participant(cast.ben)


def text(answer):
    return answer.content.decode()


# -- who gets where --------------------------------------------------------------------------

# Page → its argument; the people it lets in and those it refuses with 403.
SITE_STAFF, VIEWERS = {"ana", "hiro"}, {"ana", "hiro", "vera", "eli", "ines"}
PAGES = {
    "participants": (None, VIEWERS),
    "identity_search": (None, SITE_STAFF),
    "screen": (None, SITE_STAFF),
    "screenings": (None, VIEWERS),
    "screening": ("screening", VIEWERS),
    "consent": ("screening", SITE_STAFF),
    "enrol": ("screening", SITE_STAFF),
    "identity": ("number", SITE_STAFF),
    "identity_correct": ("number", SITE_STAFF),
    "consent_renew": ("number", SITE_STAFF),
    "withdraw": ("number", SITE_STAFF),
    "consent_versions": ("site", {"kei"}),
}


def address(name, participant):
    kind, _people = PAGES[name]
    arguments = {
        "screening": participant.screening_id,
        "number": participant.study_number,
        "site": participant.site_id,
    }
    return reverse(name, args=[arguments[kind]] if kind else [])


@pytest.mark.parametrize("name", PAGES)
def test_every_page_by_role(client, cast, mine, name):
    page = address(name, mine)
    anonymous = client.get(page)
    assert (anonymous.status_code, anonymous.url.split("?")[0]) == (302, "/accounts/login/")
    for person in ("ana", "hiro", "vera", "eli", "ines", "chen", "fay", "jun", "kei", "gus"):
        client.force_login(getattr(cast, person))
        expected = 200 if person in PAGES[name][1] else 403
        assert client.get(page).status_code == expected, person


@pytest.mark.parametrize(
    "name", [n for n, (kind, _) in PAGES.items() if kind not in (None, "site")]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_sites_rows_are_not_found(ana, foreign, name, method):
    assert getattr(ana, method)(address(name, foreign)).status_code == 404


def test_a_permission_held_elsewhere_does_not_help(client, cast, mine):
    with scope(cast.kei, []):
        Membership.objects.create(user=cast.vera, role=Role.COORDINATOR, site=cast.rio)
    client.force_login(cast.vera)
    for name in ("screening", "participants"):
        assert client.get(address(name, mine)).status_code == 200
    for name in ("consent", "enrol", "identity", "consent_renew", "withdraw"):
        assert client.get(address(name, mine)).status_code == 403
        assert client.post(address(name, mine)).status_code == 403


# -- list and search -------------------------------------------------------------------------


def test_the_list_shows_the_sites_participants(ana, mine, foreign):
    page = text(ana.get(reverse("participants")))
    assert mine.study_number in page
    assert foreign.study_number not in page
    assert "Himura" not in page
    assert "1 participant<" in page


def test_filters_narrow_the_list_and_bad_ones_are_refused(client, cast, mine, foreign):
    control = build.participant(cast.ana, arm="control")
    client.force_login(cast.eli)
    page = text(client.get(reverse("participants"), {"site": "TKY", "arm": "control"}))
    assert control.study_number in page
    assert mine.study_number not in page
    assert foreign.study_number not in page
    for wrong in ({"site": "XXX"}, {"arm": "none"}):
        answer = client.get(reverse("participants"), wrong)
        assert answer.status_code == 422
        assert mine.study_number not in text(answer)
    client.force_login(cast.ana)
    assert client.get(reverse("participants"), {"site": "RIO"}).status_code == 422


def test_the_list_has_pages_of_fifty(ana, cast, monkeypatch):
    monkeypatch.setattr("registry.participants.views.PAGE", 2)
    numbers = [build.participant(cast.ana).study_number for _ in range(3)]
    first = text(ana.get(reverse("participants"), {"arm": "cvi"}))
    assert numbers[1] in first
    assert numbers[2] not in first
    assert "?arm=cvi&amp;page=2" in first
    assert numbers[2] in text(ana.get(reverse("participants"), {"arm": "cvi", "page": "2"}))


@pytest.mark.parametrize("typed", ["1", "0001", "tky-1", "TKY 0001", "ＴＫＹ－０００１"])
def test_one_exact_hit_opens(ana, mine, typed):
    answer = ana.get(reverse("participants"), {"q": typed})
    assert (answer.status_code, answer.url) == (
        302,
        reverse("participant", args=[mine.study_number]),
    )
    with_check = f"{typed}-{mine.study_number[-1]}"
    assert ana.get(reverse("participants"), {"q": with_check}).status_code == 302


def test_several_hits_are_listed(client, cast, mine, foreign):
    client.force_login(cast.eli)
    page = text(client.get(reverse("participants"), {"q": "1"}))
    assert "2 participants" in page


def test_a_foreign_number_reads_like_one_that_does_not_exist(ana, mine, foreign):
    nobody = rules.study_number("RIO", 77)
    found, missing = (
        re.sub(r'csrf\w+" value="\w+"', "", text(ana.get(reverse("participants"), {"q": number})))
        for number in (foreign.study_number, nobody)
    )
    assert "Not found at Tokyo." in found
    assert found.replace(foreign.study_number, nobody) == missing


def test_a_wrong_check_character_says_so(ana, mine, foreign):
    for number in (mine.study_number, foreign.study_number, rules.study_number("RIO", 77)):
        wrong = number[:-1] + ("A" if number[-1] != "A" else "B")
        answer = ana.get(reverse("participants"), {"q": wrong})
        assert answer.status_code == 422
        assert "does not fit" in text(answer)
        assert f'value="{wrong}"' in text(answer)


@pytest.mark.parametrize(
    "typed",
    [
        {"family_name": "himura", "birth_date": "1 jun 1955"},
        {"phone": "03 5555 0100"},
    ],
)
def test_an_identity_is_found_and_the_look_logged(ana, cast, mine, typed):
    answer = ana.post(reverse("identity_search"), typed)
    assert answer.status_code == 200
    assert mine.study_number in text(answer)
    assert "Himura" in text(answer)
    with user_scope(cast.ana):
        assert Look.objects.get().by == cast.ana


def test_an_identity_of_another_site_is_not_found_and_nothing_logged(client, cast, mine):
    client.force_login(cast.ben)
    answer = client.post(reverse("identity_search"), {"phone": "0355550100"})
    assert "Not found at Rio." in text(answer)
    assert mine.study_number not in text(answer)
    with user_scope(cast.ana):
        assert not Look.objects.exists()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({}, "Type a family name"),
        ({"family_name": "Himura"}, "type both"),
        ({"birth_date": "1955-06-01"}, "type both"),
        ({"family_name": "Himura", "birth_date": "someday"}, "someday"),
        ({"phone": "none"}, "Type a family name"),
    ],
)
def test_an_identity_search_that_cannot_be(ana, typed, message):
    answer = ana.post(reverse("identity_search"), typed)
    assert answer.status_code == 422
    assert message in text(answer)
    for value in typed.values():
        assert f'value="{value}"' in text(answer)


# -- from screening to enrolment -------------------------------------------------------------


def test_the_whole_way_from_screening_to_enrolment(ana, cast):
    answer = ana.post(reverse("screen"), SCREENING)
    with user_scope(cast.ana):
        screened = Screening.objects.get()
        version = ConsentVersion.objects.get(site=cast.tokyo)
    assert answer.url == reverse("screening", args=[screened.pk])
    assert "Now take the consent" in text(ana.get(answer.url))
    consent = reverse("consent", args=[screened.pk])
    answer = ana.post(consent, CONSENT | {"version": version.pk})
    assert answer.url == reverse("screening", args=[screened.pk])
    assert "enrol the person now" in text(ana.get(answer.url))
    answer = ana.post(reverse("enrol", args=[screened.pk]), ENROLMENT)
    with user_scope(cast.ana):
        participant = Participant.objects.get()
        assert participant.visits.count() == 9
        assert participant.recruited_in == ["dermatology", "other"]
    assert answer.url == reverse("participant", args=[participant.study_number])
    assert participant.study_number in text(ana.get(reverse("screening", args=[screened.pk])))
    again = ana.post(reverse("enrol", args=[screened.pk]), ENROLMENT)
    assert again.status_code == 422
    assert "already enrolled" in text(again)


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        ("screened_on", "2200-01-01", "future"),
        ("screened_on", "31/02/2026", "31"),
        ("adult", "perhaps", "not one of the available choices"),
        ("cvi_diagnosed", "", "still to be answered"),
        ("matched_to", "TKY-9999", "is not asked with the answers above"),
    ],
)
def test_a_screening_that_cannot_be_is_kept_on_the_page(ana, cast, item, value, message):
    answer = ana.post(reverse("screen"), SCREENING | {item: value})
    page = text(answer)
    assert answer.status_code == 422
    assert message in page
    assert "Error:" in page
    if value not in ("", "perhaps"):
        assert value in page
    with user_scope(cast.ana):
        assert not Screening.objects.exists()


def test_who_works_at_several_sites_says_at_which(client, cast):
    with scope(cast.kei, []):
        Membership.objects.create(user=cast.ana, role=Role.COORDINATOR, site=cast.rio)
    client.force_login(cast.ana)
    page = text(client.get(reverse("screen")))
    assert "?site=TKY" in page
    assert "?site=RIO" in page
    client.post(reverse("screen") + "?site=RIO", SCREENING)
    with user_scope(cast.ana):
        assert Screening.objects.get().site == cast.rio
    assert client.get(reverse("screen") + "?site=NRT").status_code == 404


def test_a_failure_is_named_and_kept_as_a_count(ana, cast):
    for _ in range(2):
        answer = ana.post(reverse("screen"), SCREENING | {"pregnant": "True", "adult": "False"})
    page = text(ana.get(answer.url))
    assert "Not eligible" in page
    assert "pregnant (X-rays" in page
    with user_scope(cast.ana):
        screened = Screening.objects.first()
    listed = text(ana.get(reverse("screenings")))
    assert "2 persons, counted under each reason" in listed
    assert listed.count('<td class="number">2</td>') == 2
    assert "not an adult" in listed
    assert reverse("screening", args=[screened.pk]) not in listed
    refused = ana.post(reverse("consent", args=[screened.pk]), CONSENT | {"version": "1"})
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        ("version", "", "still to be answered"),
        ("version", "999999", "not one of the available choices"),
        ("signed_on", "2200-01-01", "future"),
        ("signed_on", "2019-01-01", "was not in force"),
        ("allows_images", "", "still to be answered"),
    ],
)
def test_a_consent_that_cannot_be(ana, cast, item, value, message):
    screened = build.screening(cast.ana)
    with user_scope(cast.ana):
        version = ConsentVersion.objects.get(site=cast.tokyo)
    data = CONSENT | {"version": version.pk, item: value}
    answer = ana.post(reverse("consent", args=[screened.pk]), data)
    assert answer.status_code == 422
    assert message in text(answer)
    typed = cast.tokyo.today.isoformat() if data["signed_on"] == "t" else data["signed_on"]
    assert f'value="{typed}"' in text(answer)  # “t” is kept as the day it meant
    with user_scope(cast.ana):
        assert not Consent.objects.exists()


@pytest.fixture
def ready(cast):
    screened = build.screening(cast.ana)
    build.consent(cast.ana, screened)
    return reverse("enrol", args=[screened.pk])


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        ("family_name", "", "still to be answered"),
        ("birth_date", "1955-13-01", "1955"),
        ("birth_date", "", "still to be answered"),
        ("birth_date", "2020-01-01", "age at enrolment is"),
        ("onset_year", "1950", "between birth and enrolment"),
        ("onset_year", "", "year of onset is needed"),
        ("enrolled_on", "2200-01-01", "future"),
        ("enrolled_on", "2020-01-01", "before the screening"),
        ("sex", "", "still to be answered"),
        ("email", "no address", "valid email"),
        ("onset_month", "13", "not possible"),
    ],
)
def test_an_enrolment_that_cannot_be(ana, cast, ready, item, value, message):
    answer = ana.post(ready, ENROLMENT | {item: value})
    page = text(answer)
    assert answer.status_code == 422
    assert message in page
    for kept in {"hospital_number": "HN 1", item: value}.values():
        assert f'value="{kept}"' in page or not kept
    with user_scope(cast.ana):
        assert not Participant.objects.exists()
        assert not Identity.objects.exists()


def test_no_enrolment_before_the_consent(ana, cast):
    screened = build.screening(cast.ana)
    answer = ana.post(reverse("enrol", args=[screened.pk]), ENROLMENT)
    assert answer.status_code == 422
    assert "No consent is signed" in text(answer)


def test_a_possible_duplicate_is_shown_until_it_is_said_to_be_another(ana, cast, mine, ready):
    data = ENROLMENT | {"birth_date": "1955-06-01"}
    answer = ana.post(ready, data)
    assert answer.status_code == 422
    page = text(answer)
    assert reverse("participant", args=[mine.study_number]) in page
    assert 'name="another_person"' in page
    assert 'value="HN 1"' in page
    answer = ana.post(ready, data | {"another_person": "yes"})
    assert answer.status_code == 302
    with user_scope(cast.ana):
        assert Participant.objects.count() == 2


# -- identity, consent and withdrawal of a participant ---------------------------------------


def test_every_look_at_an_identity_is_logged(client, cast, mine):
    client.force_login(cast.hiro)
    for _ in range(2):
        assert "Himura" in text(client.get(reverse("identity", args=[mine.study_number])))
    with user_scope(cast.hiro):
        assert list(Look.objects.values_list("by", "what")) == [(cast.hiro.pk, "identity")] * 2


def test_an_identity_is_corrected_with_a_reason(ana, cast, mine):
    page = reverse("identity_correct", args=[mine.study_number])
    assert 'value="Himura"' in text(ana.get(page))
    typed = {"family_name": "Mori", "given_name": "Hana", "birth_date": "1955-06-01"}
    refused = ana.post(page, typed)
    assert refused.status_code == 422
    assert "Reason for the correction: still to be answered." in text(refused)
    assert 'value="Mori"' in text(refused)
    assert ana.post(page, typed | {"reason": "married"}).status_code == 302
    assert "Mori" in text(ana.get(reverse("identity", args=[mine.study_number])))


def test_a_correction_that_makes_a_duplicate_is_asked_about(ana, cast, mine):
    build.participant(cast.ana, person=build.person(family_name="Mori"))
    page = reverse("identity_correct", args=[mine.study_number])
    typed = {"family_name": "Mori", "given_name": "H", "birth_date": "1955-06-01", "reason": "x"}
    answer = ana.post(page, typed)
    assert answer.status_code == 422
    assert 'name="another_person"' in text(answer)
    assert ana.post(page, typed | {"another_person": "yes"}).status_code == 302


def test_a_withdrawal_is_explained_recorded_and_holds(ana, cast, mine):
    page = reverse("withdraw", args=[mine.study_number])
    assert "nothing more may be entered" in text(ana.get(page))
    typed = {"withdrawn_on": "t", "withdrawal_scope": "stop_collection", "reason": "moved away"}
    assert ana.post(page, typed).status_code == 302
    shown = text(ana.get(page))
    assert "no more data are collected" in shown
    assert 'value="stop_collection"' not in shown
    assert ana.post(page, typed).status_code == 422


def test_an_identity_is_erased_only_when_confirmed(ana, cast, mine):
    page = reverse("withdraw", args=[mine.study_number])
    typed = {"withdrawn_on": "t", "withdrawal_scope": "erase_identity", "reason": "her wish"}
    answer = ana.post(page, typed)
    assert answer.status_code == 422
    assert "Confirm that the identity is to be erased" in text(answer)
    assert 'value="her wish"' in text(answer)
    assert ana.post(page, typed | {"confirm": "on"}).status_code == 302
    identity = text(ana.get(reverse("identity", args=[mine.study_number])))
    assert "was erased" in identity
    assert "Himura" not in identity
    correct = ana.get(reverse("identity_correct", args=[mine.study_number]))
    assert correct.url == reverse("identity", args=[mine.study_number])


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"withdrawn_on": "2200-01-01", "withdrawal_scope": "stop_contact"},
        {"withdrawn_on": "2000-01-01", "withdrawal_scope": "stop_contact"},
        {"withdrawn_on": "t", "withdrawal_scope": "everything"},
    ],
)
def test_a_withdrawal_that_cannot_be(ana, cast, mine, typed):
    answer = ana.post(reverse("withdraw", args=[mine.study_number]), typed)
    assert answer.status_code == 422
    assert f'value="{typed.get("withdrawn_on", "")}"' in text(answer) or not typed
    with user_scope(cast.ana):
        assert not Consent.objects.filter(withdrawn_on__isnull=False).exists()


def test_a_new_version_is_put_in_force_and_signed(client, cast, mine):
    client.force_login(cast.kei)
    page = reverse("consent_versions", args=[cast.tokyo.pk])
    typed = {"code": "2.0", "in_force_from": "t", "in_force_until": "", "mandatory": "on"}
    assert client.post(page, typed).status_code == 302
    again = client.post(page, typed)
    assert again.status_code == 422
    assert "has a version of this name" in text(again)
    client.force_login(cast.ana)
    with user_scope(cast.ana):
        version = ConsentVersion.objects.get(code="2.0")
    answer = client.post(
        reverse("consent_renew", args=[mine.study_number]), CONSENT | {"version": version.pk}
    )
    assert answer.url == reverse("participant", args=[mine.study_number])
    with user_scope(cast.ana):
        assert mine.screening.consents.count() == 2
