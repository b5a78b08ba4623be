"""Queries under a person's hands: from the list to the very field, answered in place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from registry.access.scope import user_scope
from registry.quality.models import DataQuery

from .. import build
from ..people import PASSWORD

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SAPHENA_PICTURES")


def picture(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def test_from_the_list_to_the_field_and_back_to_closed(page, server, clinic, sign_in):
    visit = build.completed(clinic.ana, build.participant(clinic.ana))
    with user_scope(clinic.ana):
        entry = visit.entries.get(form="laboratory")
    odd = {"calcium_total": "3.5", "calcium_total_typed": "3.5", "calcium_total_unit": "mmol/L"}
    build.form(clinic.ana, visit, entry.form, **odd)

    sign_in(clinic.eli)
    page.goto(f"{server}/visits/{visit.pk}/#id_vcss-right-pain")
    note = page.locator("#id_vcss-right-pain .note")
    note.get_by_text("Ask about this").click()
    note.locator("textarea").fill("Is this 0 in the notes?")
    picture(page, "monitor-asks")
    note.get_by_role("button", name="Ask", exact=True).click()
    note.get_by_text("Is this 0 in the notes?").first.wait_for()
    note.get_by_role("button", name="Verified against source").click()
    note.get_by_text("Eli Stone").first.wait_for()

    sign_in(clinic.ana)
    page.goto(f"{server}/queries/")
    picture(page, "queries")
    page.get_by_role("link", name="Total calcium 3.5").first.click()
    page.wait_for_url(lambda url: "/visits/" in url)
    focused = page.evaluate("document.activeElement.id")
    assert focused == "id_laboratory-calcium_total"
    assert page.locator(f"#{focused}").is_visible()
    box = page.locator(f"#{focused}").bounding_box()
    assert 0 < box["y"] < 768
    picture(page, "visit-with-query")
    note = page.locator(".item", has=page.locator("#id_laboratory-calcium_total")).locator(".note")
    page.fill('[name="laboratory-phosphate"]', "1.2")
    note.locator("textarea").fill("Measured twice, it is right.")
    note.get_by_role("button", name="Answer").click()
    note.get_by_text("Ana Sato").wait_for()
    assert page.input_value('[name="laboratory-phosphate"]') == "1.2"  # nothing typed is lost
    picture(page, "answered")
    note.get_by_role("link", name="Thread").click()
    picture(page, "thread")

    sign_in(clinic.ines)
    with user_scope(clinic.ines):
        query = DataQuery.objects.get(rule="expected", item="calcium_total")
    page.goto(f"{server}/queries/{query.pk}/")
    page.get_by_role("button", name="Accept as right").click()
    page.get_by_text("The query is Closed.").wait_for()
    picture(page, "closed")


def test_signing_and_voiding_are_seen(page, server, clinic, sign_in):
    visit = build.completed(clinic.ana, build.participant(clinic.ana))
    sign_in(clinic.hiro)
    page.goto(f"{server}/visits/{visit.pk}/#signing")
    page.get_by_role("link", name="Sign the visit").click()
    page.get_by_label("I confirm that I have reviewed").check()
    page.fill("#id_password", "not mine")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.get_by_text("This is not your password.").wait_for()
    picture(page, "sign")
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign", exact=True).click()
    page.get_by_text("Baseline is signed.").wait_for()
    with user_scope(clinic.ana):
        form = visit.entries.get(form="vcss", limb="right").record()
        type(form).objects.filter(pk=form.pk).update(pain=2)
    page.reload()
    page.locator("#signing").scroll_into_view_if_needed()
    page.get_by_text("changed by Ana Sato").wait_for()
    picture(page, "void")
