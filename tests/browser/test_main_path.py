"""The main job, walked as its people walk it: from screening to the de-identified dataset."""

from __future__ import annotations

import csv
import gzip
import io
import time
import zipfile
from datetime import timedelta
from email import message_from_bytes, policy

import pytest

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.crfs.vcss import SKIN_SCORES, ULCER_SCORES
from registry.recall.tasks import tick

from ..imaging.films import dicom
from .walk import (
    complete,
    consent,
    enrol,
    enter,
    picture,
    put,
    record_ulcer,
    screen,
    start_visit,
)

pytestmark = pytest.mark.browser

FAMILY = "Zwykłowska-Canary"


def fill_forms(page):
    enter(
        page,
        "leg_check",
        right={"leg_status": "present", "any_open_ulcer": True},
        left={"leg_status": "present", "any_open_ulcer": False},
    )
    enter(
        page,
        "ulcers",
        R1={
            "ulcer_status": "open",
            "length_mm": 40,
            "width_mm": 20,
            "area_method": "ruler_ellipse",
            "extruded_calcium": False,
        },
    )
    assert "628.3 mm²" in page.locator("#form-ulcers").inner_text()

    advanced = {
        "symptomatic": True,
        "etiology": ["Ep"],
        "anatomy": ["GSVa"],
        "pathophysiology": "Pr",
        "investigation_level": "LII",
    }
    enter(page, "ceap", right={"clinical": "C6", **advanced}, left={"clinical": "C2", **advanced})

    skin = dict.fromkeys([*SKIN_SCORES, "compression"], 1)
    enter(
        page,
        "vcss",
        right=skin | {"active_ulcers": 1, "ulcer_duration": 2, "ulcer_size": 2},
        left=skin | dict.fromkeys(ULCER_SCORES, 0),
    )
    assert "Total 12" in page.locator("#form-vcss").inner_text().replace("\n", " ")

    calcium = "laboratory-calcium_total"
    put(page, **{"laboratory-sampled_on": "v", calcium: "9.8", "laboratory-albumin": 41})
    page.locator("#form-laboratory").get_by_role("button", name="Complete").click()
    page.locator(".problems").get_by_text("9.8 looks like mg/dL").wait_for()
    assert page.input_value(f'[name="{calcium}"]') == "9.8"
    picture(page, "refused")
    put(page, **{f"{calcium}__unit": "mg/dL"})
    page.get_by_role("button", name="Keep the number: 9.8 mg/dL").click()
    complete(page, "laboratory")

    enter(
        page,
        "xray",
        right={
            "performed": True,
            "purpose": "study",
            "pregnancy_excluded": True,
            "acquired_on": "v",
            "views": ["ap", "lateral"],
            "thirds_covered": ["middle", "distal"],
            "modality": "cr",
        },
        left={"performed": False},
    )


def upload_film(page, tmp_path):
    page.get_by_role("link", name="Films of the leg (Right)").click()
    (tmp_path / "film.dcm").write_bytes(dicom("R", size=0, PatientName="Canary^Film"))
    page.set_input_files('input[type="file"]', tmp_path / "film.dcm")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="Film 1").wait_for()
    checked = page.get_by_role("button", name="No identifying text in the picture")
    if checked.count():
        checked.click()
    page.get_by_text("No identifying text in the picture.").wait_for()


def grade(page, server, number):
    page.goto(f"{server}/readings/")
    page.get_by_role("link", name="Start reading").click()
    image = page.locator("figure img").first
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    assert number not in page.content()
    put(page, quality="good", calcification="present", pattern="reticular")
    for third in ("middle", "distal"):
        for aspect in ("medial", "lateral", "anterior", "posterior"):
            put(page, **{f"zone_{third}_{aspect}": "present" if third == "distal" else "absent"})
    picture(page, "reading")
    page.get_by_role("button", name="Submit the reading").click()
    page.wait_for_url("**/readings/")


def ask_and_approve(page, server, sign_in, clinic):
    sign_in(clinic.fay)
    page.goto(f"{server}/datasets/new/")
    page.get_by_label("Title of the project").fill("Healing")
    page.get_by_label("Purpose").fill("Does calcification delay healing?")
    page.get_by_role("button", name="Send to the steward").click()
    page.get_by_text("Waiting for approval").first.wait_for()
    sign_in(clinic.jun)
    page.goto(f"{server}/datasets/")
    page.get_by_role("link", name="Healing").first.click()
    page.get_by_role("button", name="Approve and build").click()
    sign_in(clinic.fay)
    page.goto(f"{server}/datasets/1/")
    page.get_by_role("link", name="Download").wait_for(timeout=60_000)  # until it is built
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("link", name="Download").click()
    return download.value.path()


def recall(clinic, mail):
    """Let the timetable tick once in the worker, past Tokyo's sending hour; the mail as sent."""
    with scope(User.objects.system("migration"), []):
        Site.objects.filter(pk=clinic.tokyo.pk).update(sending_hour=0)
    tick.delay()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in mail.iterdir():
            text = path.read_bytes().split(b"\n" + b"-" * 79)[0]
            if b"To: ana@example.org" in text:
                return message_from_bytes(text, policy=policy.default)
        time.sleep(0.5)
    raise AssertionError("No recall mail was sent.")


@pytest.fixture
def alone(settings):
    """One participant is enough for a dataset."""
    settings.DISCLOSURE_K = {"safe_harbor": 1}


def test_from_screening_to_dataset(alone, page, server, clinic, worker, sign_in, tmp_path):
    enrolled_on = clinic.tokyo.today - timedelta(days=100)
    sign_in(clinic.ana)
    picture(page, "home")
    screen(page, server, enrolled_on)
    consent(page, enrolled_on)
    number = enrol(page, enrolled_on, FAMILY)

    start_visit(page, server, number, "Baseline", enrolled_on)
    record_ulcer(
        page, "right", location=["medial_malleolus"], onset_on="2024-03", ulcer_cause="venous"
    )
    fill_forms(page)
    picture(page, "visit")
    upload_film(page, tmp_path)

    sign_in(clinic.chen)
    grade(page, server, number)

    sign_in(clinic.ana)
    page.goto(f"{server}/participants/{number}/")
    right = page.get_by_role("heading", name="Right leg").locator("..").inner_text()
    assert "C6,s Ep As Pr (GSVa) LII" in right
    assert "calcification present, reticular, extent 3" in right
    assert "Open, last seen on" in right
    picture(page, "participant")

    message = recall(clinic, worker)
    text = message.get_body(("plain",)).get_content()
    assert number in text
    assert "3 months" in text
    assert "Zwyk" not in message.as_string()
    page.goto(f"{server}/recall/")
    page.get_by_role("row", name="Ana Sato").get_by_role("link").click()
    page.get_by_text(message["Message-ID"]).wait_for()
    picture(page, "recall")

    with zipfile.ZipFile(ask_and_approve(page, server, sign_in, clinic)) as archive:
        names = archive.namelist()
        whole = b"".join(_plain(archive, name) for name in names)
        participants = next(name for name in names if "participants" in name)
        rows = list(csv.DictReader(io.StringIO(_plain(archive, participants).decode())))
    picture(page, "dataset")
    assert len(rows) == 1
    for secret in (number, FAMILY, "Maria", "Canary", enrolled_on.isoformat(), "1950-02"):
        assert secret.encode() not in whole


def _plain(archive: zipfile.ZipFile, name: str) -> bytes:
    data = archive.read(name)
    return gzip.decompress(data) if name.endswith(".gz") else data
