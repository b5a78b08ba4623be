"""Asking for a dataset and watching it, in a real browser."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from registry.exports import actions, tasks
from registry.exports.actions import building
from registry.exports.models import Dataset

from .. import build

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("SAPHENA_PICTURES")
HIDE = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => window.away})"


def look(page, name):
    """No serious fault of accessibility; a picture where they are wanted."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


@pytest.fixture
def ward(clinic, monkeypatch):
    """Thirty participants of all arms; builds are queued and nothing more."""
    monkeypatch.setattr(tasks.build_dataset, "delay", lambda number: None)
    for number in range(30):
        by = clinic.ben if number % 3 else clinic.ana
        someone = build.participant(
            by,
            enrolled_on=clinic.tokyo.today - timedelta(days=30 * number),
            arm="control" if number % 5 == 4 else "cvi",
        )
        if number % 3 == 0:
            build.form(by, build.attended(by, someone), "ceap", "right")
    return clinic


def test_a_request_is_previewed_sent_and_decided(ward, sign_in, server):
    page = sign_in(ward.fay)
    page.goto(f"{server}/datasets/new/")
    look(page, "ask")
    page.get_by_label("Title of the project").fill("Calcium and ulcers")
    page.get_by_label("Purpose").fill("Does calcium slow healing?")
    page.get_by_label("Tokyo").check()
    page.get_by_role("button", name="Show what it holds").click()
    assert page.locator(".problems").inner_text().count("leaves the site out") == 1
    page.get_by_label("Limited").check()
    page.get_by_role("button", name="Show what it holds").click()
    assert page.get_by_text("Left out: not at the chosen sites").count() == 1
    look(page, "preview")
    page.get_by_label("Tokyo").uncheck()
    page.get_by_role("button", name="Send to the steward").click()
    page = sign_in(ward.jun)
    page.goto(f"{server}/datasets/")
    page.get_by_role("link", name="Calcium and ulcers").first.click()
    look(page, "request")
    page.get_by_role("button", name="Approve and build").click()
    assert Dataset.objects.get().state == "queued"


def test_a_build_is_watched_only_while_its_page_is_seen(ward, sign_in, server):
    asked = actions.request_dataset(
        by=ward.fay,
        title="Calcium",
        purpose="To learn",
        profile="limited",
        forms=["ceap"],
        arms=["cvi"],
    )
    dataset = actions.approve_request(by=ward.jun, request=asked)
    Dataset.objects.update(state="building", stage="ceap", rows_expected=5000, rows_done=1200)
    page = sign_in(ward.fay)
    page.add_init_script(f"window.away = false; {HIDE}")
    polls = []
    page.on("request", lambda sent: polls.append(sent) if "hx-request" in sent.headers else None)
    page.goto(f"{server}/datasets/{dataset.pk}/")
    assert page.get_by_role("progressbar", name="Rows written").count() == 1
    look(page, "building")
    Dataset.objects.update(rows_done=3400)
    page.get_by_text("3400 of 5000 rows").wait_for()
    page.evaluate("window.away = true")
    seen = len(polls)
    page.wait_for_timeout(5000)
    assert len(polls) == seen
    page.evaluate("window.away = false")
    building._fail(dataset, "ceap: 3 of 4 rows were delivered.")
    page.get_by_text("3 of 4 rows").wait_for()
    look(page, "failed")
    seen = len(polls)
    page.wait_for_timeout(5000)
    assert len(polls) == seen
    page.get_by_role("button", name="Build it again").click()
    page.get_by_text("Cancel the build").wait_for()
    tasks.build_dataset(Dataset.objects.latest("pk").pk)
    page.get_by_role("link", name="Download").wait_for()
    page.get_by_text("Files and their SHA-256").click()
    look(page, "ready")
