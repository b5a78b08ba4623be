"""An investigator takes a copy of the site's data: real worker, real browser, real file."""

from __future__ import annotations

import csv
import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from registry.access.scope import user_scope
from registry.exports.models import SiteCopy

from .. import build
from ..people import PASSWORD

pytestmark = pytest.mark.browser


def shoot(page, name):
    """A picture of the page, where ``PICTURES`` names a folder."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


def test_from_password_to_patients_by_name(page, server, clinic, worker, sign_in, tmp_path):
    build.participant(clinic.ana, person=build.person(family_name="山田", phone="007"))
    sign_in(clinic.hiro)
    page.get_by_role("link", name="Site’s data").click()
    shoot(page, "own-ask")
    page.get_by_label("Password of Hiro Mori").fill("not this one")
    page.get_by_role("button", name="Make a copy").click()
    page.get_by_text("This is not your password. Nothing was asked for.").wait_for()
    shoot(page, "own-wrong")
    page.get_by_label("Password of Hiro Mori").fill(PASSWORD)
    page.get_by_role("button", name="Make a copy").click()
    # The page finds out by itself.
    link = page.get_by_role("link", name="Download")
    shoot(page, "own-progress")
    link.wait_for(timeout=60_000)
    shoot(page, "own-ready")
    with page.expect_download() as download:
        link.click()
    path = tmp_path / "copy.zip"
    download.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        text = io.StringIO(archive.read("identities.csv").decode(), newline="")
        [row] = csv.DictReader(text)
    assert (row["family_name"], row["phone"]) == ("山田", "007")
    deadline = time.monotonic() + 20
    while not list(worker.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.2)
    [letter] = worker.iterdir()
    with user_scope(clinic.hiro):
        copy = SiteCopy.objects.get()
    assert f"{server}/own-data/TKY/{copy.pk}/" in letter.read_text()
    for language in ("ja", "pt-br"):
        page.goto(f"{server}/own-data/TKY/")
        page.locator(f"button[name=language][value={language}]").first.click()
        page.wait_for_load_state()
        page.goto(f"{server}/own-data/TKY/")
        shoot(page, f"own-ask-{language}")
        page.goto(f"{server}/own-data/TKY/{copy.pk}/")
        shoot(page, f"own-ready-{language}")
    page.set_viewport_size({"width": 360, "height": 700})
    shoot(page, "own-ready-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
