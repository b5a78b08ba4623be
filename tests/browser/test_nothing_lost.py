"""Killed tabs, cut networks, ended sessions, races: nothing called saved is lost, nothing unsaved
is called saved."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from registry.access.scope import user_scope
from registry.visits.models import FormEntry

from .. import build
from ..people import PASSWORD

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("SAPHENA_PICTURES")

PHOSPHATE, CRP, SAMPLED = "laboratory-phosphate", "laboratory-crp", "laboratory-sampled_on"
SAVED = re.compile(r"^Saved \d\d:\d\d$")


@pytest.fixture
def visit(clinic):
    return build.attended(clinic.ana, build.participant(clinic.ana))


@pytest.fixture
def desk(server, clinic, visit, browser, browser_context_args):
    """Opens the visit as somebody, in a browser of their own."""
    contexts = []

    def open_visit(user):
        context = browser.new_context(**browser_context_args)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        sign_in(page, server, user)
        page.goto(f"{server}/visits/{visit.pk}/")
        return page

    yield open_visit
    for context in contexts:
        context.close()


def sign_in(page, server, user):
    page.goto(f"{server}/accounts/login/")
    page.fill("[name=login]", user.email)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


def state(page):
    return page.locator("#save-state").inner_text().strip()


def until(page, wanted, seconds=15):
    """Wait for a state of saving."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        said = state(page)
        if wanted.match(said) if isinstance(wanted, re.Pattern) else said == wanted:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{state(page)!r} and not {wanted!r}")


def held(clinic, visit, form="laboratory"):
    """What the server holds as draft: control → text."""
    with user_scope(clinic.ana):
        draft = visit.entries.get(form=form).draft or {}
    return {control: " ".join(values) for control, values in draft.items()}


def box(page, name):
    return page.locator(f'input[name="{name}"]')


def type_into(page, name, text):
    box(page, name).press_sequentially(text)


def watch(page):
    """Keep every word the page says about saving, and whatever is read aloud."""
    page.evaluate(
        """() => {
          window.said = []; window.spoken = [];
          const keep = (element, list) => new MutationObserver(() => {
            const text = element.textContent.trim();
            if (text && list.at(-1) !== text) list.push(text);
          }).observe(element, {childList: true, characterData: true, subtree: true});
          keep(document.querySelector("#save-state"), window.said);
          keep(document.querySelector("#status"), window.spoken);
        }"""
    )


def picture(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def test_a_killed_tab_loses_nothing_that_was_called_saved(clinic, visit, desk, server):
    page = desk(clinic.ana)
    assert state(page) == ""
    type_into(page, PHOSPHATE, "1,1x")
    assert state(page) == "Saving"  # before the server has it
    until(page, SAVED)
    assert held(clinic, visit)[PHOSPHATE] == "1,1x"
    page.close(run_before_unload=False)

    page = page.context.new_page()
    page.goto(f"{server}/visits/{visit.pk}/")
    section = page.locator("#form-laboratory")
    assert "Draft of Ana Sato" in section.inner_text()
    assert box(page, PHOSPHATE).input_value() == "1,1x"
    assert SAVED.match(state(page))
    picture(page, "draft")
    section.get_by_text("Discard the draft").click()
    section.get_by_role("button", name="Discard what was typed").click()
    page.get_by_text("draft discarded.").wait_for()
    assert box(page, PHOSPHATE).input_value() == ""
    assert held(clinic, visit) == {}


def test_a_cut_network_keeps_the_answers_in_the_tab(clinic, visit, desk):
    page = desk(clinic.ana)
    watch(page)
    page.context.set_offline(True)
    for name in (PHOSPHATE, CRP, "laboratory-albumin"):
        type_into(page, name, "40")
        page.keyboard.press("Tab")
    type_into(page, SAMPLED, "v")
    until(page, "Offline: 4 answers kept in this tab only")
    assert held(clinic, visit) == {}
    picture(page, "offline")

    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.close(run_before_unload=True)
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]

    section = page.locator("#form-laboratory")
    section.get_by_role("button", name="Complete and next").click()  # leaves nothing behind
    assert box(page, PHOSPHATE).input_value() == "40"
    page.context.set_offline(False)
    until(page, SAVED)
    kept = held(clinic, visit)
    assert [kept[name] for name in (PHOSPHATE, CRP, "laboratory-albumin")] == ["40"] * 3
    with user_scope(clinic.ana):
        assert visit.entries.get(form="laboratory").revision == 1  # sent once
    said = page.evaluate("said")
    last = [re.sub(r"\d", "#", text) for text in said[-3:]]
    assert last == ["Offline: # answers kept in this tab only", "Saving", "Saved ##:##"]
    spoken = page.evaluate("spoken")
    assert len(spoken) == 2  # the failure and the recovery
    assert spoken[0].startswith("Offline")
    assert SAVED.match(spoken[1])
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "laboratory" not in stored
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert asked == ["beforeunload"]  # nothing is asked once all is saved


def test_a_slow_server_loses_no_letter(clinic, visit, desk):
    page = desk(clinic.ana)
    watch(page)
    slow = lambda route: (time.sleep(1.5), route.continue_())  # noqa: E731
    page.route("**/forms/laboratory/", slow)
    type_into(page, PHOSPHATE, "1.")
    page.wait_for_timeout(2500)  # the first send is under way
    page.keyboard.type("25")
    assert state(page) == "Saving"
    until(page, SAVED, 20)
    assert box(page, PHOSPHATE).input_value() == held(clinic, visit)[PHOSPHATE] == "1.25"
    assert page.evaluate("document.activeElement.selectionStart") == 4
    assert page.evaluate("spoken") == []  # routine saves are silent


def test_who_never_stops_typing_is_saved_all_the_same(clinic, visit, desk):
    page = desk(clinic.ana)
    deadline = time.monotonic() + 13
    box(page, PHOSPHATE).focus()
    while time.monotonic() < deadline:
        page.keyboard.type("1")
        page.wait_for_timeout(400)
    assert held(clinic, visit)[PHOSPHATE].startswith("11")


def test_an_ended_session_costs_a_password_and_nothing_else(clinic, visit, desk, server):
    page = desk(clinic.ana)
    page.context.clear_cookies(name="sessionid")
    type_into(page, PHOSPHATE, "1.1")
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    until(page, "Not saved, trying again")  # also where reading noticed before saving
    assert dialog.locator("[name=login]").input_value() == clinic.ana.email
    assert page.locator("#main [name=password]").count() == 0
    picture(page, "signed-out")
    dialog.locator("[name=password]").fill("wrong")
    dialog.get_by_role("button", name="Sign in").click()
    dialog.get_by_text("not correct").wait_for()
    dialog.locator("[name=password]").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    until(page, SAVED)
    assert held(clinic, visit)[PHOSPHATE] == "1.1"
    assert page.evaluate("document.activeElement.name") == PHOSPHATE
    assert page.evaluate("document.activeElement.selectionStart") == 3


def test_signing_in_again_in_another_tab(clinic, visit, desk, server):
    page = desk(clinic.ana)
    page.context.clear_cookies(name="sessionid")
    second = page.context.new_page()
    sign_in(second, server, clinic.ana)
    type_into(page, PHOSPHATE, "1.1")
    until(page, SAVED)  # with the token of the new session
    assert held(clinic, visit)[PHOSPHATE] == "1.1"

    page.context.clear_cookies(name="sessionid")
    sign_in(second, server, clinic.hiro)
    type_into(page, CRP, "4")
    page.get_by_text("These answers were typed by Ana Sato").wait_for()
    until(page, "Not saved, trying again")
    assert CRP not in held(clinic, visit)
    assert box(page, CRP).input_value() == "4"


def test_two_people_on_different_items(clinic, visit, desk):
    ana, hiro = desk(clinic.ana), desk(clinic.hiro)
    type_into(ana, PHOSPHATE, "1.1")
    type_into(hiro, CRP, "4")
    for page in (ana, hiro):
        until(page, SAVED)
        assert page.get_by_role("button", name="Theirs").count() == 0
    kept = held(clinic, visit)
    assert (kept[PHOSPHATE], kept[CRP]) == ("1.1", "4")


@pytest.mark.parametrize(("choice", "stays"), [("Yours", "1.2"), ("Theirs", "1.1")])
def test_two_people_on_one_item(clinic, visit, desk, choice, stays):
    ana, hiro = desk(clinic.ana), desk(clinic.hiro)
    type_into(ana, PHOSPHATE, "1.1")
    until(ana, SAVED)
    type_into(hiro, PHOSPHATE, "1.2")
    until(hiro, "Changed by someone else")
    assert held(clinic, visit)[PHOSPHATE] == "1.1"
    assert hiro.get_by_role("button", name="Theirs").count() == 1
    picture(hiro, "compare")
    hiro.get_by_role("button", name=choice).click()
    until(hiro, SAVED)
    assert held(clinic, visit)[PHOSPHATE] == stays
    assert box(hiro, PHOSPHATE).input_value() == stays


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "This section is no longer there."), (500, "The server did not take this section.")],
)
def test_a_section_that_is_refused_stops_no_other(clinic, visit, desk, status, said):
    page = desk(clinic.ana)
    page.route("**/forms/laboratory/", lambda route: route.fulfill(status=status, body="no"))
    type_into(page, PHOSPHATE, "1.1")
    page.locator("#form-laboratory").get_by_text(said).wait_for()
    until(page, "Not saved, trying again")
    box(page, "history-weight_kg").fill("80")
    deadline = time.monotonic() + 10
    while not held(clinic, visit, "history") and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    assert held(clinic, visit, "history")["history-weight_kg"] == "80"
    until(page, "Not saved, trying again")  # of the other

    laboratory, history = page.locator("#form-laboratory"), page.locator("#form-history")
    laboratory.get_by_role("button", name="Complete and next").click()
    page.wait_for_timeout(500)
    assert box(page, PHOSPHATE).input_value() == "1.1"  # the page is still there

    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    history.get_by_role("button", name="Complete and next").click()
    page.locator(".problems").wait_for()  # what the history still owes
    assert asked == ["beforeunload"]  # what was refused is not left unasked


def test_a_draft_that_could_not_be_discarded_is_not_called_saved(clinic, visit, desk):
    page = desk(clinic.ana)
    type_into(page, PHOSPHATE, "1.1")
    until(page, SAVED)
    page.reload()
    box(page, "history-weight_kg").fill("80")
    page.context.set_offline(True)
    type_into(page, PHOSPHATE, "2")
    section = page.locator("#form-laboratory")
    section.get_by_text("Discard the draft").click()
    section.get_by_role("button", name="Discard what was typed").click()
    until(page, "Offline: 2 answers kept in this tab only")
    page.context.set_offline(False)
    until(page, SAVED)
    assert held(clinic, visit)[PHOSPHATE] == "21.1"


def test_a_choice_that_did_not_get_through_is_sent_again(clinic, visit, desk):
    ana, hiro = desk(clinic.ana), desk(clinic.hiro)
    type_into(ana, PHOSPHATE, "1.1")
    until(ana, SAVED)
    type_into(hiro, PHOSPHATE, "1.2")
    until(hiro, "Changed by someone else")
    hiro.context.set_offline(True)
    hiro.get_by_role("button", name="Yours").click()
    until(hiro, re.compile("^Offline"))
    hiro.context.set_offline(False)
    until(hiro, SAVED)
    assert held(clinic, visit)[PHOSPHATE] == "1.2"
    type_into(hiro, CRP, "4")
    until(hiro, "Saving")
    until(hiro, SAVED)
    assert held(clinic, visit)[CRP] == "4"


def test_a_day_typed_as_t_is_saved_before_it_is_read_back(clinic, visit, desk):
    page = desk(clinic.ana)
    page.route("**/read/", lambda route: route.abort())
    type_into(page, SAMPLED, "t")
    until(page, SAVED)
    assert held(clinic, visit)[SAMPLED] == clinic.tokyo.today.isoformat()
    assert box(page, SAMPLED).input_value() == "t"


def test_completing_goes_on_and_changing_later_asks_why(clinic, visit, desk):
    page = desk(clinic.ana)
    type_into(page, SAMPLED, "v")
    type_into(page, PHOSPHATE, "1.1")
    section = page.locator("#form-laboratory")
    section.get_by_role("button", name="Complete and next").click()  # before any autosave
    page.get_by_text("Laboratory: complete.").wait_for()
    assert page.evaluate("document.activeElement.tagName") == "H2"
    assert page.evaluate("document.activeElement.closest('section').id") == "form-xray"

    box(page, PHOSPHATE).fill("1.3")
    section.get_by_role("button", name="Complete and next").click()
    page.get_by_text("Why do the answers change?").wait_for()
    assert page.title().startswith("Error:")
    assert "1.1 mmol/L" in section.locator(".reason").inner_text()
    picture(page, "reason")
    section.get_by_label("Typing slip").check()
    section.get_by_role("button", name="Complete and next").click()
    page.get_by_text("Laboratory: complete.").wait_for()
    with user_scope(clinic.ana):
        entry = visit.entries.get(form="laboratory")
        assert entry.state == FormEntry.State.COMPLETE
        assert str(entry.record().phosphate) == "1.300"


def test_the_strip_stays_and_says_who_it_is(clinic, visit, desk):
    page = desk(clinic.ana)
    number = visit.participant.study_number
    assert page.title().startswith(number)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    strip = page.locator(".strip").bounding_box()
    assert strip["y"] == 0
    assert strip["height"] <= 56
    page.locator(".sections a[href^='#']").nth(3).click()
    assert page.evaluate("document.activeElement.tagName") == "H2"
    tops = "[document.activeElement, document.querySelector('.strip')]"
    heading, strip = page.evaluate(f"{tops}.map(one => one.getBoundingClientRect().y)")
    assert strip == 0
    assert heading > 56
