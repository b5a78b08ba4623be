"""Walking through the desk's pages as a coordinator does: words for what is done on them."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Any

PICTURES = os.environ.get("SAPHENA_PICTURES")


def picture(page: Any, name: str, *, whole: bool = False) -> None:
    """Keep a picture of the page where SAPHENA_PICTURES names a folder."""
    if PICTURES:
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=whole)


def put(page: Any, **answers: Any) -> None:
    """Answer controls by name: radios and boxes by value (a list for several), texts typed."""
    page.locator(f'[name="{next(iter(answers))}"]').first.wait_for()
    kinds = page.evaluate(
        "names => names.map(one => document.getElementsByName(one)[0]?.type)", [*answers]
    )
    for (name, answer), kind in zip(answers.items(), kinds, strict=True):
        if kind == "select-one":
            page.select_option(f'[name="{name}"]', str(answer))
        elif kind in ("radio", "checkbox"):
            for one in answer if isinstance(answer, list) else [answer]:
                page.press(f'[name="{name}"][value="{one}"]', "Space")
        else:
            text = answer.isoformat() if isinstance(answer, date) else str(answer)
            page.fill(f'[name="{name}"]', text)


def enter(page: Any, form: str, **answers: Any) -> None:
    """Answer a form and complete it.

    A dictionary holds one column: ``right``, ``left``, or an ulcer's label (``R1``).
    """
    for name, answer in answers.items():
        if isinstance(answer, dict):
            put(page, **{f"{form}-{_column(name)}-{item}": one for item, one in answer.items()})
        else:
            put(page, **{f"{form}-{name}": answer})
    complete(page, form)


def _column(name: str) -> str:
    """The prefix of a column: a leg's own name, for an ulcer its leg and label."""
    if re.fullmatch(r"[RL]\d+", name):
        return f"{'right' if name[0] == 'R' else 'left'}-{name}"
    return name


def complete(page: Any, form: str) -> None:
    """Press Complete in a section, and see it complete."""
    section = page.locator(f"#form-{form}")
    with page.expect_navigation():
        section.get_by_role("button", name="Complete").click()
    refused = page.locator(".problems")
    assert not refused.count(), refused.inner_text()
    section.locator("> header .state.complete").wait_for()


def add_row(page: Any, form: str, **answers: Any) -> None:
    """Add a row to the log that the page shows, and complete it."""
    rows = page.locator("section.section").count()
    page.get_by_role("button", name="Add a row").click()
    page.locator(f"#form-{form}-{rows + 1}").wait_for()
    put(page, **{f"{form}-{rows + 1}-{name}": answer for name, answer in answers.items()})
    complete(page, f"{form}-{rows + 1}")


def screen(page: Any, server: str, day: date) -> None:
    """Screen a person with venous disease who may take part."""
    page.goto(f"{server}/participants/screen/")
    put(page, screened_on=day, adult=True, arm="cvi", cvi_diagnosed=True)
    put(page, venous_status="present", able_to_consent=True, pregnant=False)
    page.get_by_role("button", name="Save the screening").click()


def consent(page: Any, day: date) -> None:
    """Take the consent of the person just screened."""
    page.get_by_role("link", name="Record the consent").click()
    page.select_option('select[name="version"]', label="1.0")
    put(page, signed_on=day, allows_images=True, allows_sharing=True, allows_contact=True)
    page.get_by_role("button", name="Record the consent").click()


def enrol(page: Any, day: date, family_name: str) -> str:
    """Enrol the person who consented; the study number."""
    page.get_by_role("link", name="Enrol").click()
    put(page, family_name=family_name, given_name="Maria", birth_date="1950-02-03")
    put(page, enrolled_on=day, onset_year=2009, sex="female", recruited_in=["dermatology"])
    picture(page, "enrol")
    page.get_by_role("button", name="Enrol").click()
    page.get_by_role("heading", name=re.compile(r"^TKY-\d{4}-\w$")).wait_for()
    return str(page.locator("h1").inner_text())


def open_visit(page: Any, server: str, number: str, label: str) -> None:
    """Go to a visit from the participant's table of visits."""
    page.goto(f"{server}/participants/{number}/")
    visits = page.get_by_role("region", name="Visits")
    visits.get_by_role("link", name=label, exact=True).click()
    page.get_by_role("heading", name=label, level=1).wait_for()


def start_visit(page: Any, server: str, number: str, label: str, day: date) -> None:
    """Enter the day on which the participant came."""
    open_visit(page, server, number, label)
    put(page, visit_on=day)
    page.get_by_role("button", name="Start the visit").click()
    page.locator("nav.sections").wait_for()


def record_ulcer(page: Any, leg: str, **answers: Any) -> None:
    """Open a new ulcer from the visit that the page shows."""
    page.get_by_role("link", name="New ulcer").click()
    put(page, limb=leg, **answers)
    picture(page, "new-ulcer")
    page.get_by_role("button", name="Record the ulcer").click()
    page.locator("#form-ulcers").wait_for()


def plan(page: Any, server: str, number: str) -> dict[str, str]:
    """The participant's table of visits: label → state in words."""
    page.goto(f"{server}/participants/{number}/")
    rows = page.get_by_role("region", name="Visits").locator("tbody tr")
    cells = [row.split("\t") for row in rows.all_inner_texts()]
    return {one[0].strip(): one[1].strip() for one in cells}
