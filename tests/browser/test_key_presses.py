"""A complete 12-month visit by the keyboard alone, and what its items cost in key presses."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta

import pytest

from registry.access.scope import user_scope
from registry.core.dictionary import items_of

from .. import build
from ..ulcers.build import assessed, ulcer
from .walk import picture

pytestmark = pytest.mark.browser

AT_MOST = 2.5

# What is typed on each item, in the order of the page: a digit chooses, "." codes an absence,
# a text ends with Enter, which also passes an item by.
SKIN = ["2"] * 10
EXAMINATION = ["1", "1", "1.1\n", "2", ".nd", "1", "240\n", *SKIN, "2"]
ADVANCED = ["1\n", "gsva \n", "1", "2"]
VCSS = ["1", "1", "1", "1", "0", "0", "0", "0", "0", "\n", "2"]
ULCER = ["2", "1", "2", "..nd"]
FILM = ["1", "1", "1", "v\n", "13\n", "23\n", "1"]
VISIT = {
    "body": ["80\n"],
    "leg_check": ["1", "2"] * 2,
    "examination": EXAMINATION * 2,
    "ceap": ["C5\n", "1", *ADVANCED, "C4a\n", "1", *ADVANCED],
    "vcss": VCSS * 2,
    "villalta": ["1"] * 11,
    "laboratory": ["v\n", "2.35\n", "40\n", "1.1\n", "..nd"],
    "xray": [*FILM, "2"],
    "ulcers": ULCER,
    "log_review": ["1", "1"],
    "calcinosis": [".as", ".as"],  # no film is read: nothing is proposed
    "reported_outcomes": ["2\n", "21111\n", "1", "80\n", "..nd"],
}


@pytest.fixture
def visit(clinic):
    """A 12-month visit just started: a leg with a thrombosis, and one with an open ulcer."""
    ana = clinic.ana
    participant = build.participant(ana, enrolled_on=clinic.tokyo.today - timedelta(days=400))
    baseline = build.attended(ana, participant)
    build.form(ana, baseline, "history")
    build.form(ana, baseline, "leg_history", "right")
    build.form(ana, baseline, "leg_history", "left", previous_dvt=True, dvt_year=2012)
    assessed(ana, baseline, ulcer(ana, baseline))
    return build.attended(ana, participant, "M12")


def answered(user, visit):
    """How many items of each form hold an answer or an absence code, and how many of them nobody
    typed, since they stand as the page proposed them."""
    counts, proposed = Counter(), Counter()
    with user_scope(user):
        for entry in visit.entries.all():
            record = entry.record()
            assert record, f"{entry.form} {entry.place} is not complete"
            for name, item in items_of(type(record)).items():
                if item.derived or item.companion_of:
                    continue
                if getattr(record, name) is not None or name in record.absent:
                    counts[entry.form] += 1
                    if name in ("done_on", "examiner", "assessed_on", "ceap_version"):
                        proposed[entry.form] += 1
    return counts, proposed


def test_a_yearly_visit_by_keyboard_alone(page, server, clinic, sign_in, visit, capsys):
    sign_in(clinic.ana)
    page.add_init_script(
        """for (const kind of ["mousedown", "pointerdown", "touchstart"])
             addEventListener(kind, () => { window.mouse = true; }, true);"""
    )
    page.goto(f"{server}/visits/{visit.pk}/")
    presses = Counter()

    def press(form, *keys):
        for key in keys:
            page.keyboard.press(key)
            presses[form] += 1

    press("to the first form", "Tab", "Enter")  # by the link that skips the header
    while not page.evaluate("document.activeElement.matches('.sections a')"):
        press("to the first form", "Tab")
    press("to the first form", "Enter")
    for form, texts in VISIT.items():
        page.locator(f"#form-{form} h2:focus").wait_for()
        press(form, "Enter")  # to the first blank item
        for text in texts:
            press(
                form, *("Enter" if key == "\n" else "Space" if key == " " else key for key in text)
            )
        while page.evaluate("document.activeElement.value") != "complete":
            press(form, "Tab")  # past the undo of “the rest”
        assert not page.evaluate("window.mouse")
        with page.expect_navigation():
            press(form, "Enter")
        refused = page.locator(".problems")
        assert not refused.count(), refused.inner_text()
    picture(page, "m12-by-keyboard")

    counts, proposed = answered(clinic.ana, visit)
    assert set(counts) == set(VISIT)
    total = sum(presses.values()) / sum(counts.values())
    typed = sum(presses.values()) / (sum(counts.values()) - sum(proposed.values()))
    lines = ["form: key presses / items (of them as proposed) = presses per item"]
    for form in VISIT:
        each = presses[form] / counts[form]
        lines.append(f"{form}: {presses[form]} / {counts[form]} ({proposed[form]}) = {each:.2f}")
    lines.append(f"to the first form: {presses['to the first form']}")
    lines.append(f"whole visit: {total:.2f} per item, {typed:.2f} per item that is typed")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert typed <= AT_MOST
