"""The API: read-only, scoped by site, without identities, forms read off their declarations."""

import base64
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from registry.access.models import ApiToken, Membership
from registry.access.roles import Role
from registry.access.scope import scope, user_scope
from registry.access.tokens import new_token
from registry.core.dictionary import items_of
from registry.imaging.models import Reading
from registry.ulcers.models import Ulcer, UlcerAssessment
from registry.visits.crf import FORMS, LimbCrf, LogCrf
from registry.visits.models import FormEntry

from .. import build
from ..people import PASSWORD

LISTS = ["participants", "visits", "readings", "ulcers", *(f"form-{code}" for code in FORMS)]


def token_of(user, **changes):
    """A header with a fresh token of ``user``."""
    token, digest = new_token()
    values = {"name": "R script", "expires_at": timezone.now() + timedelta(days=1)} | changes
    with user_scope(user):
        ApiToken.objects.create(user=user, digest=digest, **values)
    return {"Authorization": f"Token {token}"}


def get(client, name, *args, user=None, **params):
    if user:
        client.force_login(user)
    return client.get(reverse(f"api-{name}", args=args), params)


def results(client, name, user, **params):
    answer = get(client, name, user=user, **params)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def with_films_and_ulcers(by, reader):
    """A participant with every form, a reading and an ulcer with two assessments."""
    participant = build.participant(by)
    visit = build.attended(by, participant)
    for form in ("leg_check", "ceap", "vcss"):
        for leg in ("right", "left"):
            build.form(by, visit, form, leg)
    build.form(
        by,
        visit,
        "laboratory",
        calcium_total=Decimal("2.445"),
        calcium_total_typed="9.8",
        calcium_total_unit="mg/dL",
        calcium_total_comparator="=",
        albumin=Decimal("40.00"),
        albumin_comparator="=",
        absent={"crp": "not_done"},
    )
    xray = build.form(by, visit, "xray", "right")
    with user_scope(by):
        Reading.objects.create(
            xray=xray,
            reader=reader,
            read_on=visit.attended_on,
            mode="independent",
            quality="good",
            calcification="present",
            pattern="reticular",
            zone_distal_medial="present",
        )
        ulcer = Ulcer.objects.create(
            participant=participant,
            limb="right",
            label="R1",
            location=["medial_malleolus"],
            onset_on="2025-03",
            ulcer_cause="venous",
            recorded_on=visit.attended_on,
            by=by,
        )
        for code, status in (("BL", "open"), ("M03", "closed")):
            at = participant.visits.get(code=code)
            entry = FormEntry.objects.filter(visit=at, form="ulcers", occurrence="R1").first()
            entry = entry or FormEntry.objects.create(
                participant=participant, visit=at, form="ulcers", limb="right", occurrence="R1"
            )
            UlcerAssessment.objects.create(
                entry=entry,
                ulcer=ulcer,
                done_on=at.target_on,
                assessed_on=at.target_on,
                ulcer_status=status,
            )
        filled = {"leg_check", "ceap", "vcss", "laboratory", "xray", "ulcers"}
        for code in FORMS.keys() - filled:
            model = FORMS[code].model
            row = {"occurrence": "1"} if issubclass(model, LogCrf) else {"visit": visit}
            leg = {"limb": "right"} if issubclass(model, LimbCrf) else {}
            entry, _ = FormEntry.objects.get_or_create(
                participant=participant, form=code, **row, **leg
            )
            model.objects.create(entry=entry, done_on=visit.attended_on)
    return participant


# -- who ---------------------------------------------------------------------------------------


def test_a_token_opens_the_api_and_remembers_its_use(client, cast):
    build.participant(cast.ana)
    answer = client.get(reverse("api-participants"), headers=token_of(cast.ana))
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == 1
    assert ApiToken.objects.get().last_used_at is not None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Token",
        "Token ",
        "Token nonsense",
        "Token nön\x00sense",
        "Bearer saphena_x",
        "Basic YW5hOnB3",
    ],
)
def test_without_a_good_token_it_asks_for_one(client, cast, header):
    answer = client.get(
        reverse("api-participants"), headers={"Authorization": header} if header else {}
    )
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("fault", ["expired", "revoked", "inactive"])
def test_a_token_that_no_longer_holds(client, cast, fault):
    late = {"expires_at": timezone.now() - timedelta(seconds=1)} if fault == "expired" else {}
    header = token_of(cast.ana, **late)
    with scope(cast.kei, []):
        if fault == "revoked":
            ApiToken.objects.all().delete()
        if fault == "inactive":
            cast.ana.is_active = False
            cast.ana.save()
    assert client.get(reverse("api-participants"), headers=header).status_code == 401


def test_a_bad_token_is_not_helped_by_a_session(client, cast):
    client.force_login(cast.ana)
    answer = client.get(reverse("api-participants"), headers={"Authorization": "Token nonsense"})
    assert answer.status_code == 401


def test_an_inactive_user_has_no_session(client, cast):
    assert client.login(username="ana@example.org", password=PASSWORD)
    with scope(cast.kei, []):
        cast.ana.is_active = False
        cast.ana.save()
    assert get(client, "participants").status_code == 401


@pytest.mark.parametrize("name", [*LISTS, "schema"])
def test_those_without_the_permission(client, cast, name):
    for user in (cast.chen, cast.jun, cast.kei, cast.fay, cast.gus):
        expected = 200 if name == "schema" else 403
        assert get(client, name, user=user).status_code == expected, user


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_is_written_through_it(client, cast, name, method):
    client.force_login(cast.ana)
    answer = getattr(client, method)(reverse(f"api-{name}"), {}, "application/json")
    assert answer.status_code == 405


# -- which rows --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_each_sees_their_own_sites_rows(client, cast, name):
    with_films_and_ulcers(cast.ana, cast.chen)
    with_films_and_ulcers(cast.ben, cast.chen)
    for user, sites in ((cast.vera, {"TKY"}), (cast.ben, {"RIO"}), (cast.eli, {"TKY", "RIO"})):
        assert {row["site"] for row in results(client, name, user)} == sites


@pytest.mark.slow
def test_another_sites_names_are_not_found(client, cast):
    rio = with_films_and_ulcers(cast.ben, cast.chen).study_number
    tokyo = with_films_and_ulcers(cast.ana, cast.chen).study_number
    for name, *more in (("participant",), ("visit", "BL"), ("ulcer", "R1")):
        assert get(client, name, tokyo, *more, user=cast.ana).status_code == 200
        assert get(client, name, rio, *more, user=cast.ana).status_code == 404
        assert get(client, name, "TKY-9999-X", *more, user=cast.ana).status_code == 404
    for name in LISTS:
        assert get(client, name, participant=rio).status_code == 404
        assert get(client, name, participant="nobody").status_code == 404
        assert get(client, name, site="RIO").status_code == 404


@pytest.mark.slow
def test_filters_narrow_and_together_narrow_more(client, cast):
    one = with_films_and_ulcers(cast.ana, cast.chen).study_number
    two = with_films_and_ulcers(cast.ana, cast.chen).study_number
    with_films_and_ulcers(cast.ben, cast.chen)
    for name in LISTS:
        rows = results(client, name, cast.eli, participant=one)
        assert {row.get("participant", row.get("study_number")) for row in rows} == {one}
        assert {row["site"] for row in results(client, name, cast.eli, site="TKY")} == {"TKY"}
        assert results(client, name, cast.eli, site="RIO", participant=two) == []
    assert [row["code"] for row in results(client, "visits", cast.eli, participant=one)] == [
        "BL", "M03", "M06", "M12", "M18", "M24", "M36", "M48", "M60",
    ]  # fmt: skip
    assert len(results(client, "visits", cast.eli, visit="M12")) == 3
    assert len(results(client, "form-ceap", cast.eli, visit="BL", participant=one)) == 2
    assert results(client, "form-ceap", cast.eli, visit="M12", participant=one) == []


def cursor(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("participants", {"particpant": "TKY-0001-X"}),
        ("participants", {"visit": "BL"}),
        ("visits", {"visit": "M07"}),
        ("visits", {"page_size": "0"}),
        ("visits", {"page_size": "1001"}),
        ("visits", {"page_size": "many"}),
        ("visits", {"page_size": "９"}),
        ("visits", {"page_size": "000000001" + "9" * 5000}),
        ("visits", {"cursor": "nonsense"}),
        ("visits", {"cursor": "ö"}),
        ("visits", {"cursor": cursor("p=abc")}),
        ("visits", {"cursor": cursor(f"p={'9' * 5000}")}),
        ("visits", {"cursor": cursor("r=x")}),
    ],
)
def test_bad_parameters_are_named(client, cast, name, params):
    answer = get(client, name, user=cast.ana, **params)
    assert answer.status_code == 400
    assert list(answer.json()) == list(params)


def test_a_character_that_no_keyboard_types_is_refused(client, cast):
    assert get(client, "visits", user=cast.ana, visit="\0").status_code == 400


@pytest.mark.parametrize("position", ["9" * 30, "0"])
def test_a_cursor_beyond_every_row(client, cast, position):
    assert get(client, "visits", user=cast.ana, cursor=cursor(f"p={position}")).status_code == 200


@pytest.mark.slow
def test_pages_hold_every_row_once_while_others_write(client, cast):
    for _ in range(3):
        build.participant(cast.ana)
    client.force_login(cast.ana)
    address, seen = reverse("api-visits") + "?page_size=4", []
    while address:
        page = client.get(address).json()
        seen += [(row["participant"], row["code"]) for row in page["results"]]
        address = page["next"]
        if len(seen) == 8:
            build.participant(cast.ana)
            client.force_login(cast.ana)
    assert len(seen) == len(set(seen)) == 4 * 9


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_the_number_of_queries_does_not_grow_with_the_rows(client, cast, name):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as counted:
            rows = results(client, name, cast.eli)
        assert rows
        return len(counted)

    with_films_and_ulcers(cast.ana, cast.chen)
    queries()
    few = queries()
    for by in (cast.ana, cast.ben, cast.ana):
        with_films_and_ulcers(by, cast.chen)
    assert queries() == few


# -- what --------------------------------------------------------------------------------------


def test_every_item_of_every_form_is_there(client, cast):
    with_films_and_ulcers(cast.ana, cast.chen)
    for code, kind in FORMS.items():
        row = results(client, f"form-{code}", cast.ana)[0]
        items = items_of(kind.model)
        head = ["site", "participant", "visit", "limb", "occurrence"]
        head = [name for name in head if name not in items]  # a log's row has a leg of its own
        assert list(row) == [*head, *items, "absent"]


def test_values_stand_as_stored(client, cast):
    with_films_and_ulcers(cast.ana, cast.chen)
    (row,) = results(client, "form-laboratory", cast.ana)
    assert row["visit"] == "BL"
    assert row["calcium_total"] == "2.445"
    assert (row["calcium_total_typed"], row["calcium_total_unit"]) == ("9.8", "mg/dL")
    assert row["calcium_corrected"] == "2.445"
    assert row["phosphate"] is None
    assert row["absent"] == {"crp": "not_done"}
    right, left = results(client, "form-ceap", cast.ana)
    assert (right["limb"], left["limb"]) == ("right", "left")
    assert right["anatomy"] == ["As", "GSVa"]
    assert right["clinical_1994"] == 4
    assert right["symptomatic"] is True


def test_ulcers_carry_their_assessments_in_order(client, cast):
    number = with_films_and_ulcers(cast.ana, cast.chen).study_number
    row = get(client, "ulcer", number, "R1", user=cast.ana).json()
    assert (row["label"], row["limb"], row["onset_on"]) == ("R1", "right", "2025-03")
    course = [(one["visit"], one["ulcer_status"]) for one in row["assessments"]]
    assert course == [("BL", "open"), ("M03", "closed")]


def test_readings_do_not_say_who_read(client, cast):
    with_films_and_ulcers(cast.ana, cast.chen)
    (row,) = results(client, "readings", cast.ana)
    assert (row["limb"], row["pattern"], row["extent"]) == ("right", "reticular", 1)
    assert "reader" not in row
    assert b"Chen" not in get(client, "readings").content


def test_whoever_reads_films_does_not_see_the_readings_of_others(client, cast):
    with scope(cast.kei, []):
        Membership.objects.create(user=cast.vera, role=Role.READER)
    assert get(client, "participants", user=cast.vera).status_code == 200
    assert get(client, "readings", user=cast.vera).status_code == 403


def test_a_visits_status_is_that_of_its_sites_day(client, cast):
    mine = build.participant(cast.ana)
    build.attended(cast.ana, mine)
    row = get(client, "visit", mine.study_number, "BL", user=cast.ana).json()
    assert row["status"] == "attended"
    assert row["attended_on"] == mine.enrolled_on.isoformat()
    target = date.fromisoformat(get(client, "visit", mine.study_number, "M60").json()["target_on"])
    assert target == mine.enrolled_on + timedelta(days=1826)


def test_no_identity_and_no_key_leaves(client, cast):
    canary = build.person(family_name="Kanarie", hospital_number="H-4711", phone="0902223344")
    build.participant(cast.ana, person=canary)
    with_films_and_ulcers(cast.ana, cast.chen)
    for name in LISTS:
        answer = get(client, name, user=cast.hiro)
        assert b"Kanarie" not in answer.content
        assert b"4711" not in answer.content
        for row in answer.json()["results"]:
            assert not {"id", "pk", "entry", "screening", "by"} & row.keys()


def test_the_contents_lead_everywhere(client, cast):
    client.force_login(cast.ana)
    contents = client.get("/api/v1/").json()
    assert set(contents) >= {"participants", "forms/laboratory", "schema"}
    for address in contents.values():
        assert client.get(address).status_code == 200


def test_the_schema_is_valid_without_a_warning(tmp_path):
    target = tmp_path / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(target))
    schema = target.read_text()
    assert "Total calcium (mmol/L)" in schema
    assert "/api/v1/forms/ceap/" in schema
