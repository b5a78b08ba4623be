"""The films' pages by role, and what a reader's pages do not say."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as configured
from django.test import Client
from django.urls import reverse
from PIL import Image

from registry.access.models import User
from registry.access.scope import user_scope
from registry.audit.models import Look
from registry.imaging import actions
from registry.imaging.models import Film, Reading, Xray
from registry.visits.models import Visit
from tests import build
from tests.imaging import films
from tests.posting import made_for


@pytest.fixture
def visit(cast: Any) -> Visit:
    return build.attended(cast.ana, build.participant(cast.ana))


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(visit: Visit, limb: str = "right") -> str:
    return reverse("films", args=[visit.pk, limb])


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def send(client: Client, visit: Visit, content: bytes | None, limb: str = "right") -> Any:
    data = {} if content is None else {"film": films.upload(content, "Kuroyanagi.dcm")}
    return client.post(page_of(visit, limb), data | made_for(client, visit.participant))


def count(cast: Any) -> tuple[int, int]:
    with user_scope(cast.ana):
        rows = Film.objects.count()
    return rows, sum(path.is_file() for path in Path(configured.MEDIA_ROOT).rglob("*"))


# -- the site's films ------------------------------------------------------------------------


def test_a_coordinator_uploads_looks_and_confirms(cast: Any, visit: Visit) -> None:
    films.study(cast.ana, visit)
    client = as_user(cast.ana)
    assert "No film yet" in client.get(page_of(visit)).content.decode()
    response = send(client, visit, films.jpeg())
    assert (response.status_code, response["Location"]) == (302, page_of(visit))
    page = client.get(page_of(visit)).content.decode()
    assert "To be checked" in page
    assert "Kuroyanagi" not in page
    with user_scope(cast.ana):
        film = Film.objects.get()
    assert (
        client.post(
            reverse("film_checked", args=[film.pk]), made_for(client, visit.participant)
        ).status_code
        == 302
    )
    page = client.get(page_of(visit)).content.decode()
    assert "No identifying text in the picture." in page
    assert "To be checked" not in page


def test_picture_and_original_are_served_and_looks_logged(cast: Any, visit: Visit) -> None:
    film = films.film(cast.ana, films.study(cast.ana, visit), films.dicom())
    client = as_user(cast.vera)
    picture = client.get(reverse("film_picture", args=[film.pk]))
    assert picture["Content-Type"] == "image/png"
    assert Image.open(BytesIO(body(picture))).size == (64, 64)
    original = client.get(reverse("film_original", args=[film.pk]))
    assert original["Content-Type"] == "application/dicom"
    assert body(original)[128:132] == b"DICM"
    with user_scope(cast.ana):
        looks = Look.objects.filter(label="imaging.film", key=film.pk, by=cast.vera)
        assert {look.what for look in looks} == {"picture", "original"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Choose a file"),
        (b"", "The file is empty"),
        (b"a letter", "no readable film"),
        (films.png(64)[:1500], "no readable film"),
        (films.dicom("L"), "this is the right one"),
    ],
)
def test_a_refused_upload_says_why_and_writes_nothing(
    cast: Any, visit: Visit, content: bytes | None, message: str
) -> None:
    films.study(cast.ana, visit)
    response = send(as_user(cast.ana), visit, content)
    assert response.status_code == 422
    page = response.content.decode()
    assert re.search(rf'<p class="errors">[^<]*{message}', page)
    assert 'href="#id_film"' in page
    assert count(cast) == (0, 0)


def test_a_huge_upload_is_refused(cast: Any, visit: Visit, settings: Any) -> None:
    films.study(cast.ana, visit)
    settings.FILM_MAX_BYTES = 2**20
    response = send(as_user(cast.ana), visit, films.png(32) + bytes(2**20))
    assert response.status_code == 422
    assert "at most 1 MB" in response.content.decode()
    assert count(cast) == (0, 0)


def test_a_duplicate_upload_is_refused(cast: Any, visit: Visit) -> None:
    films.film(cast.ana, films.study(cast.ana, visit), films.png())
    response = send(as_user(cast.ana), visit, films.png())
    assert response.status_code == 422
    assert "already here" in response.content.decode()
    assert count(cast) == (1, 2)


def test_without_a_saved_form_nothing_is_taken(cast: Any, visit: Visit) -> None:
    client = as_user(cast.ana)
    assert "once the X-ray form of this leg is saved" in client.get(page_of(visit)).content.decode()
    response = send(client, visit, films.png())
    assert response.status_code == 422
    assert count(cast) == (0, 0)


def test_withdrawn_consent_is_told_at_the_upload(cast: Any) -> None:
    person = build.participant(cast.ana, consent={"allows_images": False})
    visit = build.attended(cast.ana, person)
    films.study(cast.ana, visit)
    response = send(as_user(cast.ana), visit, films.png())
    assert response.status_code == 422
    assert "consent does not allow films" in response.content.decode()


def test_who_may_do_what_with_films(cast: Any, visit: Visit) -> None:
    film = films.film(cast.ana, films.study(cast.ana, visit))
    picture = reverse("film_picture", args=[film.pk])
    for user, see, write in [
        (cast.hiro, 200, 422),
        (cast.vera, 200, 403),
        (cast.eli, 200, 403),
        (cast.ines, 200, 403),
        (cast.ben, 404, 404),
        (cast.chen, 403, 403),
        (cast.fay, 403, 403),
        (cast.kei, 403, 403),
        (cast.gus, 403, 403),
    ]:
        client = as_user(user)
        assert client.get(page_of(visit)).status_code == see, user
        assert client.get(picture).status_code == see, user
        assert client.get(reverse("film_original", args=[film.pk])).status_code == see, user
        assert send(client, visit, b"a letter").status_code == write, user
        if user not in (cast.hiro,):
            gone = 404 if user == cast.ben else 403
            for name in ("film_checked", "film_removed"):
                assert client.post(reverse(name, args=[film.pk])).status_code == gone, user
    assert Client().get(page_of(visit)).status_code == 302
    assert Client().get(picture).status_code == 302
    assert as_user(cast.ana).get(page_of(visit, "middle")).status_code == 404


def test_a_film_to_be_checked_stays_with_those_who_enter_data(cast: Any, visit: Visit) -> None:
    film = films.film(cast.ana, films.study(cast.ana, visit), checked=False)
    for user, status in [(cast.ana, 200), (cast.hiro, 200), (cast.vera, 403), (cast.eli, 403)]:
        client = as_user(user)
        for name in ("film_picture", "film_original"):
            assert client.get(reverse(name, args=[film.pk])).status_code == status
        shown = (
            reverse("film_picture", args=[film.pk]) in client.get(page_of(visit)).content.decode()
        )
        assert shown is (status == 200)


def test_removing_a_film_needs_a_reason(cast: Any, visit: Visit) -> None:
    film = films.film(cast.ana, films.study(cast.ana, visit))
    client = as_user(cast.ana)
    address, page = reverse("film_removed", args=[film.pk]), made_for(client, visit.participant)
    assert "Say why" in client.post(address, page, follow=True).content.decode()
    assert count(cast)[0] == 1
    client.post(address, page | {"reason": "the other leg"})
    assert count(cast)[0] == 0


# -- reading ---------------------------------------------------------------------------------


def waiting(client: Client) -> str:
    """The address of the next leg to be read, from the worklist's button."""
    page = client.get(reverse("readings")).content.decode()
    found = re.search(r'href="(/readings/[0-9a-f]{32}/)"', page)
    assert found
    return found[1]


def test_a_reader_reads_what_is_waiting(cast: Any, visit: Visit) -> None:
    right, left = films.study(cast.ana, visit), films.study(cast.ana, visit, "left")
    films.film(cast.ana, right)
    films.film(cast.ana, left)
    client = as_user(cast.chen)
    assert "2 legs left" in client.get(reverse("readings")).content.decode()
    address = waiting(client)
    response = client.get(address)
    assert response.status_code == 200
    page = response.content.decode()
    assert not re.search(r"<input[^>]* checked", page)
    picture = client.get(f"{address}films/1/")
    assert np.asarray(Image.open(BytesIO(body(picture)))).shape == (32, 32)
    assert client.get(f"{address}films/2/").status_code == 404
    assert client.get(f"{address}films/0/").status_code == 404
    response = client.post(address, films.read(right))
    assert response.status_code == 302
    assert response["Location"] == waiting(client) != address
    assert "1 leg left" in client.get(reverse("readings")).content.decode()
    again = client.post(address, films.read(right, calcification="present"))
    assert again.status_code == 409
    assert client.get(f"{address}films/1/").status_code == 404
    assert client.post(waiting(client), films.read(left))["Location"] == reverse("readings")
    assert "Nothing is left to read" in client.get(reverse("readings")).content.decode()
    with user_scope(cast.ana):
        assert {r.calcification for r in Reading.objects.all()} == {"absent"}
        assert Look.objects.filter(by=cast.chen, label="imaging.film").count() == 1


def test_an_inconsistent_reading_keeps_what_was_answered(cast: Any, visit: Visit) -> None:
    xray = films.study(cast.ana, visit, views=["ap"], thirds_covered=["distal"])
    films.film(cast.ana, xray)
    client = as_user(cast.chen)
    address = waiting(client)
    page = client.get(address).content.decode()
    assert 'name="zone_distal_medial"' in page
    assert 'name="zone_distal_anterior"' not in page
    assert "Distal third, anterior" in page  # named as not assessable
    values = films.read(xray, zone_distal_medial="present")
    del values["zone_distal_lateral"]
    response = client.post(address, values | {"zone_distal_anterior": "present"})
    assert response.status_code == 422
    page = response.content.decode()
    assert "Distal third, lateral: still to be answered" in page
    assert "A zone is marked as present" in page
    assert re.search(r'name="zone_distal_medial" value="present"[^>]*checked', page)
    with user_scope(cast.ana):
        assert not Reading.objects.exists()


def test_nothing_a_reader_gets_says_whose_leg_it_is(cast: Any) -> None:
    person = build.participant(cast.ana)
    visit = build.attended(cast.ana, person)
    build.form(cast.ana, visit, "ceap", "right", clinical="C4b")
    xray = films.study(cast.ana, visit)
    films.film(cast.ana, xray, films.dicom(PatientName="Kuroyanagi^Tetsuko"))
    day = visit.attended_on
    assert day
    sentinels = [
        person.study_number,
        "Tokyo",
        "TKY",
        "C4b",
        "Kuroyanagi",
        "Baseline",
        str(day.year),
        day.isoformat(),
        f"{day:%b} {day.year}",
    ]
    client = as_user(cast.chen)
    address = waiting(client)
    answers = [
        client.get(reverse("readings")),
        client.get(address),
        client.get(f"{address}films/1/"),
        client.post(address, {}),
        client.post(address, films.read(xray)),
        client.post(address, films.read(xray)),
        client.get(reverse("readings")),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 422, 302, 409, 200]
    for answer in answers:
        headers = {name: value for name, value in answer.headers.items() if name != "Expires"}
        token = rb'name="csrfmiddlewaretoken" value="\w+"'
        said = str(headers).encode() + re.sub(token, b"", body(answer))
        for sentinel in sentinels:
            assert sentinel.encode() not in said, (sentinel, answer.request["PATH_INFO"])


def test_a_key_serves_its_reader_only(cast: Any, visit: Visit) -> None:
    films.film(cast.ana, films.study(cast.ana, visit))
    mine = waiting(as_user(cast.chen))
    other = as_user(cast.dora)
    assert mine != waiting(other)
    for address in (mine, f"{mine}films/1/", "/readings/1/", "/readings/zz/"):
        assert other.get(address).status_code == 404
    assert other.post(mine, {}).status_code == 404


def test_who_may_read_films(cast: Any, visit: Visit) -> None:
    films.film(cast.ana, films.study(cast.ana, visit))
    address = waiting(as_user(cast.chen))
    for user in (cast.ana, cast.hiro, cast.vera, cast.eli, cast.ines, cast.fay, cast.gus):
        for page in (reverse("readings"), address, f"{address}films/1/"):
            assert as_user(user).get(page).status_code == 403
    assert Client().get(reverse("readings")).status_code == 302


def test_the_second_of_two_readers_is_told(cast: Any, visit: Visit) -> None:
    xray = films.study(cast.ana, visit)
    films.film(cast.ana, xray)
    slow = as_user(cast.dora)
    address = waiting(slow)
    with user_scope(cast.chen):
        actions.submit_reading(by=cast.chen, xray=xray, values=films.read(xray))
    response = slow.post(address, films.read(xray))
    assert response.status_code == 409
    assert "no longer waiting" in response.content.decode()
    with user_scope(cast.ana):
        assert Reading.objects.count() == 1
        assert Xray.objects.get(pk=xray.pk)
