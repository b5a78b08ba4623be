"""The main job, walked as its people walk it: from screening to the de-identified dataset."""

from __future__ import annotations

import csv
import gzip
import io
import os
import time
import zipfile
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.recall.tasks import tick

from ..imaging.films import dicom

pytestmark = pytest.mark.browser

FAMILY = "Zwykłowska-Canary"
PICTURES = os.environ.get("SAPHENA_PICTURES")


def choose(page, **answers):
    """Answer radios and boxes by name and value; several values for a box."""
    for name, values in answers.items():
        for value in values if isinstance(values, list) else [values]:
            page.check(f'input[name="{name}"][value="{value}"]')


def typed(page, **texts):
    for name, text in texts.items():
        page.fill(f'[name="{name}"]', text)


def of_form(form, **answers):
    return {f"{form}-{name}": value for name, value in answers.items()}


def complete(page, form):
    """Press Complete in a section and see it complete."""
    section = page.locator(f"#form-{form}")
    section.get_by_role("button", name="Complete").click()
    page.get_by_text(": complete.").wait_for()
    page.locator(f"#form-{form} > header .state.complete").wait_for()


def picture(page, name):
    """Keep a picture of the page's top, to look at and for the README."""
    if PICTURES:
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def enrol(page, server, day):
    page.goto(f"{server}/participants/screen/")
    typed(page, screened_on=day)
    choose(page, adult="True", arm="cvi", cvi_diagnosed="True", venous_status="present")
    choose(page, able_to_consent="True", pregnant="False")
    page.get_by_role("button", name="Save the screening").click()
    page.get_by_role("link", name="Record the consent").click()
    typed(page, signed_on=day)
    page.select_option('select[name="version"]', label="1.0")
    choose(page, allows_images="True", allows_sharing="True", allows_contact="True")
    page.get_by_role("button", name="Record the consent").click()
    page.get_by_role("link", name="Enrol").click()
    typed(page, family_name=FAMILY, given_name="Maria", birth_date="1950-02-03")
    typed(page, enrolled_on=day, onset_year="2009")
    choose(page, sex="female", recruited_in=["dermatology"])
    picture(page, "enrol")
    page.get_by_role("button", name="Enrol").click()
    page.get_by_role("heading", name="TKY-0001-").wait_for()
    return page.locator("h1").inner_text()


def record_ulcer(page):
    page.get_by_role("link", name="New ulcer").click()
    choose(page, limb="right", location=["medial_malleolus"], ulcer_cause="venous")
    typed(page, onset_on="2024-03")
    page.get_by_role("button", name="Record the ulcer").click()
    page.locator("#form-ulcers").wait_for()


def fill_forms(page):
    for limb, is_open in (("right", True), ("left", False)):
        choose(page, **of_form("leg_check", **{f"{limb}-leg_status": "present"}))
        choose(page, **of_form("leg_check", **{f"{limb}-any_open_ulcer": str(is_open)}))
    complete(page, "leg_check")

    ulcer = "ulcers-right-R1"
    choose(page, **{f"{ulcer}-ulcer_status": "open", f"{ulcer}-area_method": "ruler_ellipse"})
    choose(page, **{f"{ulcer}-extruded_calcium": "False"})
    typed(page, **{f"{ulcer}-length_mm": "40", f"{ulcer}-width_mm": "20"})
    complete(page, "ulcers")
    assert "628.3 mm²" in page.locator("#form-ulcers").inner_text()

    for limb, clinical in (("right", "C6"), ("left", "C2")):
        page.select_option(f'select[name="ceap-{limb}-clinical"]', clinical)
        answers = {
            "ceap_version": "2020",
            "symptomatic": "True",
            "etiology": ["Ep"],
            "anatomy": ["GSVa"],
            "pathophysiology": "Pr",
            "investigation_level": "LII",
        }
        choose(page, **{f"ceap-{limb}-{name}": value for name, value in answers.items()})
    complete(page, "ceap")

    scores = ["pain", "varicose_veins", "oedema", "pigmentation", "inflammation", "induration"]
    for limb, ulcers in (("right", ("1", "2", "2")), ("left", ("0", "0", "0"))):
        choose(page, **{f"vcss-{limb}-{name}": "1" for name in [*scores, "compression"]})
        names = ("active_ulcers", "ulcer_duration", "ulcer_size")
        choose(page, **{f"vcss-{limb}-{n}": v for n, v in zip(names, ulcers, strict=True)})
    complete(page, "vcss")
    assert "Total 12" in page.locator("#form-vcss").inner_text().replace("\n", " ")

    typed(page, **of_form("laboratory", sampled_on="v", calcium_total="9.8", albumin="41"))
    page.locator("#form-laboratory").get_by_role("button", name="Complete").click()
    summary = page.locator(".problems")
    summary.get_by_text("9.8 looks like mg/dL").wait_for()
    assert page.input_value('[name="laboratory-calcium_total"]') == "9.8"
    picture(page, "refused")
    choose(page, **{"laboratory-calcium_total__unit": "mg/dL"})
    page.get_by_role("button", name="Keep the number: 9.8 mg/dL").click()
    complete(page, "laboratory")

    for limb in ("right", "left"):
        performed = str(limb == "right")
        choose(page, **{f"xray-{limb}-performed": performed})
    choose(page, **{"xray-right-purpose": "study", "xray-right-pregnancy_excluded": "True"})
    choose(page, **{"xray-right-views": ["ap", "lateral"]})
    choose(page, **{"xray-right-thirds_covered": ["middle", "distal"]})
    choose(page, **{"xray-right-modality": "cr"})
    typed(page, **{"xray-right-acquired_on": "v"})
    complete(page, "xray")


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
    choose(page, quality="good", calcification="present")
    choose(page, pattern="reticular")
    for third in ("middle", "distal"):
        for aspect in ("medial", "lateral", "anterior", "posterior"):
            choose(page, **{f"zone_{third}_{aspect}": "present" if third == "distal" else "absent"})
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


def test_from_screening_to_dataset(page, server, clinic, worker, sign_in, tmp_path):
    enrolled_on = clinic.tokyo.today - timedelta(days=100)
    sign_in(clinic.ana)
    picture(page, "home")
    number = enrol(page, server, enrolled_on.isoformat())

    page.get_by_role("link", name="Baseline").click()
    typed(page, visit_on=enrolled_on.isoformat())
    page.get_by_role("button", name="Start the visit").click()
    page.locator("#form-vcss").wait_for()
    record_ulcer(page)
    fill_forms(page)
    picture(page, "visit")
    visit_url = page.url
    upload_film(page, tmp_path)

    sign_in(clinic.chen)
    grade(page, server, number)

    sign_in(clinic.ana)
    page.goto(visit_url)
    page.locator(".lead-line .state.complete").wait_for()
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
