"""The ulcer's pages: what they say, who may see them, and bad input."""

from __future__ import annotations

from datetime import date, timedelta
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from registry.access.scope import user_scope
from registry.ulcers.models import Ulcer
from registry.visits.models import Visit

from .. import build
from ..posting import made_for
from .build import assessed, ulcer

ENROLLED = date(2025, 1, 10)
GOOD = {
    "limb": "left",
    "location": ["medial_malleolus", "foot"],
    "onset_on": "Dec 2024",
    "ulcer_cause": "venous",
}


@pytest.fixture
def baseline(cast: SimpleNamespace) -> Visit:
    return build.attended(cast.ana, build.participant(cast.ana, enrolled_on=ENROLLED))


@pytest.fixture
def ana(client: Client, cast: SimpleNamespace) -> Client:
    client.force_login(cast.ana)
    return client


def text(response: Any) -> str:
    return unescape(response.content.decode())


def test_a_new_ulcer_is_recorded_from_the_visit(
    ana: Client, cast: SimpleNamespace, baseline: Visit
) -> None:
    address = f"/visits/{baseline.pk}/ulcers/new/"
    page = text(ana.get(address))
    assert "First seen at Baseline, 10 Jan 2025" in page
    assert page.index('value="right"') < page.index('value="left"')
    assert "checked" not in page
    response = ana.post(address, GOOD | made_for(ana, baseline.participant))
    assert response.status_code == 302
    assert response["Location"] == f"/visits/{baseline.pk}/#form-ulcers"
    with user_scope(cast.ana):
        stored = Ulcer.objects.get()
        assert (stored.label, stored.limb, stored.onset_on) == ("L1", "left", "2024-12")
        assert stored.location == ["medial_malleolus", "foot"]
    assert "Ulcer L1 is recorded" in text(ana.get(response["Location"]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"limb": "both"}, "is not one of the available choices"),
        ({"limb": ""}, "Leg: still to be answered"),
        ({"location": []}, "Location: still to be answered"),
        ({"location": ["elbow"]}, "is not one of the available choices"),
        ({"onset_on": "soon"}, "cannot be read as a date"),
        ({"onset_on": "31 Feb 2024"}, "There is no 31 February 2024"),
        ({"onset_on": "2025-01-11"}, "lies after the ulcer was first seen (10 Jan 2025)"),
        ({"onset_on": "1900"}, "before the participant's birth"),
        ({"ulcer_cause": ""}, "Cause: still to be answered"),
    ],
)
def test_bad_input_is_refused_at_its_item_and_kept(
    ana: Client, cast: SimpleNamespace, baseline: Visit, wrong: dict[str, Any], message: str
) -> None:
    response = ana.post(
        f"/visits/{baseline.pk}/ulcers/new/", GOOD | wrong | made_for(ana, baseline.participant)
    )
    assert response.status_code == 422
    assert message in text(response)
    assert (GOOD | wrong)["onset_on"] in text(response)
    with user_scope(cast.ana):
        assert not Ulcer.objects.exists()


def test_a_visit_without_a_date_takes_no_ulcer(
    ana: Client, cast: SimpleNamespace, baseline: Visit
) -> None:
    with user_scope(cast.ana):
        planned = Visit.objects.get(participant=baseline.participant, code="M03")
    address = f"/visits/{planned.pk}/ulcers/new/"
    assert "Enter the visit's date first" in text(ana.get(address))
    assert ana.post(address, GOOD | made_for(ana, baseline.participant)).status_code == 422


def test_the_page_tells_the_course(ana: Client, cast: SimpleNamespace, baseline: Visit) -> None:
    one = ulcer(cast.ana, baseline, onset_on="2024-12")
    address = f"/ulcers/{one.pk}/"
    assert "Not yet assessed" in text(ana.get(address))
    assessed(cast.ana, baseline, one)
    build.form(cast.ana, baseline, "leg_check", "right", any_open_ulcer=True)
    page = text(ana.get(address))
    assert "Open, last seen on 10 Jan 2025" in page
    assert "December 2024 (day unknown)" in page
    assert "10–40 days" in page
    assert "471.2 mm² (ruler: π/4 × length × width)" in page
    assert "the leg's largest at enrolment" in page
    assert "first on this leg" in page
    weeks4 = build.attended(cast.ana, baseline.participant, "M03", ENROLLED + timedelta(days=28))
    assessed(cast.ana, weeks4, one, length_mm=31, width_mm=12)
    assert "38 % smaller than on 10 Jan 2025 (28 days)" in text(ana.get(address))
    m06 = build.attended(cast.ana, baseline.participant, "M06", date(2025, 5, 3))
    assessed(cast.ana, m06, one, "closed")
    page = text(ana.get(address))
    assert "Closed on 3 May 2025, not yet confirmed: confirm on or after 17 May 2025" in page
    assert page.count("not asked") == 5  # closed by, when open; length, width, area, when closed
    assert "100 % smaller than on 7 Feb 2025 (85 days)" in page
    assert page.index("Baseline") < page.index("3 months</a>") < page.index("6 months</a>")
    m12 = build.attended(cast.ana, baseline.participant, "M12", date(2025, 12, 1))
    assessed(cast.ana, m12, one, "closed")
    page = text(ana.get(address))
    assert "Healed on 3 May 2025, confirmed on 1 Dec 2025" in page
    assert "113 days from enrolment" in page
    assert "last seen open on 7 Feb 2025" in page


def test_two_methods_are_not_compared(ana: Client, cast: SimpleNamespace, baseline: Visit) -> None:
    one = ulcer(cast.ana, baseline)
    assessed(cast.ana, baseline, one, area_method="ruler_ellipse")
    later = build.attended(cast.ana, baseline.participant, "M03")
    assessed(cast.ana, later, one, area_method="photo", area_measured_mm2=300)
    page = text(ana.get(f"/ulcers/{one.pk}/"))
    assert "measured by another method: not comparable" in page
    assert "smaller" not in page


def test_a_correction_is_saved_with_its_reason(
    ana: Client, cast: SimpleNamespace, baseline: Visit
) -> None:
    one = ulcer(cast.ana, baseline)
    address = f"/ulcers/{one.pk}/correct/"
    changed = GOOD | {"ulcer_cause": "mixed"} | made_for(ana, baseline.participant)
    response = ana.post(address, changed)
    assert response.status_code == 422
    assert "Reason for the correction: still to be answered" in text(response)
    response = ana.post(address, changed | {"reason": "letter of the referring clinic"})
    assert response["Location"] == f"/ulcers/{one.pk}/"
    with user_scope(cast.ana):
        stored = Ulcer.objects.get(pk=one.pk)
        assert (stored.ulcer_cause, stored.limb, stored.label) == ("mixed", "right", "R1")
    assert "mixed" in text(ana.get(address))
    assert ana.post(address, changed | {"reason": "x", "onset_on": "2099"}).status_code == 422


@pytest.mark.parametrize(
    ("user", "page", "new", "correct"),
    [
        ("ana", 200, 200, 200),
        ("hiro", 200, 200, 200),
        ("vera", 200, 403, 403),
        ("eli", 200, 403, 403),
        ("ines", 200, 403, 403),
        ("ben", 404, 404, 404),
        ("chen", 403, 403, 403),
        ("fay", 403, 403, 403),
        ("jun", 403, 403, 403),
        ("kei", 403, 403, 403),
        ("gus", 403, 403, 403),
    ],
)
def test_who_may_see_and_enter(
    client: Client,
    cast: SimpleNamespace,
    baseline: Visit,
    user: str,
    page: int,
    new: int,
    correct: int,
) -> None:
    one = ulcer(cast.ana, baseline)
    client.force_login(getattr(cast, user))
    addresses = {
        f"/ulcers/{one.pk}/": page,
        f"/visits/{baseline.pk}/ulcers/new/": new,
        f"/ulcers/{one.pk}/correct/": correct,
    }
    got = {address: client.get(address).status_code for address in addresses}
    assert got == addresses


def test_an_unknown_ulcer_and_an_anonymous_visitor(client: Client, ana: Client) -> None:
    assert ana.get("/ulcers/999999/").status_code == 404
    ana.logout()
    response = ana.get("/ulcers/1/")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_a_viewer_is_offered_nothing_to_write(
    client: Client, cast: SimpleNamespace, baseline: Visit
) -> None:
    one = ulcer(cast.ana, baseline)
    client.force_login(cast.vera)
    assert f"/ulcers/{one.pk}/correct/" not in text(client.get(f"/ulcers/{one.pk}/"))
