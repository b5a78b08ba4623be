"""Finding one's way in a real browser: search, lists, the matrix, and back to one's row."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from registry.access.scope import user_scope
from registry.visits.actions import miss_visit, save_draft

from .. import build
from ..imaging import films

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("SAPHENA_PICTURES")


def picture(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.fixture
def ward(clinic):
    """Tokyo with fourteen participants at every point of the plan."""
    ana, today = clinic.ana, clinic.tokyo.today
    people = [
        build.participant(
            ana,
            enrolled_on=today - timedelta(days=3 + 31 * number),
            arm="control" if number % 5 == 4 else "cvi",
        )
        for number in range(14)
    ]
    for number, one in enumerate(people):
        if number % 4 == 3:
            continue
        visit = build.attended(ana, one)
        for limb in ("right", "left"):
            build.form(ana, visit, "ceap", limb)
        if number % 3 == 0:
            build.form(ana, visit, "laboratory", calcium_total=Decimal("4.5"))
            films.film(ana, build.form(ana, visit, "xray", "right"))
        if number % 5 == 0:
            with user_scope(ana):
                entry = visit.entries.filter(form="leg_check").first()
                save_draft(by=ana, entry=entry, raw={}, revision=0)
    with user_scope(ana):
        miss_visit(by=ana, visit=people[7].visits.get(code="BL"), because="moved away")
    return clinic, people


def serious(page):
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}" for one in found if one["impact"] in ("serious", "critical")
    ]


def test_a_row_is_handled_and_the_next_one_waits(server, ward, sign_in):
    clinic, people = ward
    page = sign_in(clinic.ana)
    picture(page, "home")
    assert serious(page) == []
    page.get_by_role("region", name="Overdue").get_by_role("link", name="The whole list").click()
    page.get_by_role("heading", name="Overdue").wait_for()
    picture(page, "worklist")
    assert serious(page) == []
    rows = page.locator("tbody tr")
    numbers = rows.locator("th").all_inner_texts()
    rows.nth(1).get_by_role("link", name="Record the visit").click()
    page.fill('[name="visit_on"]', "t")
    page.get_by_role("button", name="Start the visit").click()
    page.get_by_role("link", name="Next due").wait_for()
    picture(page, "visit_end")
    page.get_by_role("link", name="Back to the list").click()
    page.locator("tbody tr").first.wait_for()
    assert page.locator("tbody tr th").all_inner_texts() == numbers[:1] + numbers[2:]
    row = page.evaluate("document.activeElement.closest('tr')?.innerText")
    assert numbers[2] in row


@pytest.mark.parametrize("typed", ["3", "0003", "tky-3", "ＴＫＹ－０００３"])
def test_search_stands_on_every_page_and_one_hit_opens(server, ward, sign_in, typed):
    clinic, people = ward
    page = sign_in(clinic.ana)
    page.goto(f"{server}/queries/")
    page.get_by_role("searchbox", name="Study number").fill(typed)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=people[2].study_number).wait_for()


def test_the_matrix_can_be_read_and_hit(server, ward, sign_in):
    clinic, people = ward
    page = sign_in(clinic.ana)
    page.get_by_role("link", name="Visits", exact=True).click()
    page.get_by_role("heading", name="Participants by visits").wait_for()
    picture(page, "matrix")
    assert serious(page) == []
    boxes = page.locator(".cell").evaluate_all(
        "cells => cells.map(cell => cell.getBoundingClientRect())"
        ".map(box => [box.width, box.height])"
    )
    assert len(boxes) > 50
    assert all(width >= 24 and height >= 24 for width, height in boxes)
    region = page.locator(".matrix")
    region.evaluate("region => region.scrollTo(300, 200)")
    header, first = page.locator("thead th").first, page.locator("tbody th").nth(8)
    picture(page, "matrix_scrolled")
    inside = region.bounding_box()
    assert header.bounding_box()["y"] - inside["y"] < 40
    assert abs(first.bounding_box()["x"] - inside["x"]) < 2
    page.get_by_label("With a visit").select_option("overdue")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Clear filters").wait_for()
    assert "state=overdue" in page.url
