"""The control of one item under a coordinator's hands, in a real browser."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from registry.access.scope import user_scope
from registry.crfs.models import Laboratory, Vcss

from .. import build
from ..ulcers.build import ulcer

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SAPHENA_PICTURES")


def picture(page, form, name=""):
    if PICTURES:
        path = Path(PICTURES) / f"{name or form}.png"
        page.locator(f"#form-{form}").screenshot(path=path)


@pytest.fixture
def visit(clinic):
    participant = build.participant(clinic.ana)
    build.form(
        clinic.ana,
        build.attended(clinic.ana, participant),
        "laboratory",
        crp=Decimal("4.2"),
    )
    return build.attended(clinic.ana, participant, "M12")


@pytest.fixture
def opened(page, server, clinic, sign_in, visit):
    """The page of a yearly visit, which has every section."""
    sign_in(clinic.ana)
    page.goto(f"{server}/visits/{visit.pk}/")
    page.locator("#form-laboratory").wait_for()
    return page


def box(page, name):
    return page.locator(f'[name="{name}"]')


def focused(page):
    return page.evaluate("document.activeElement.name || document.activeElement.textContent")


def item(page, name):
    return page.locator(f'.item[data-name="{name}"]')


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def typed(page, name, text):
    """Type into a box by keys, as a person does, and leave it with Enter."""
    box(page, name).focus()
    press(page, "Control+a")
    page.keyboard.type(text)
    press(page, "Enter")


def echo(page, name, says):
    expect(item(page, name).locator(".echo")).to_have_text(says)


# -- keyboard ----------------------------------------------------------------------------------


def test_a_leg_of_vcss_by_digits_alone_then_complete(opened, visit, clinic):
    """Ten scores, one press each; nothing is submitted until Complete is pressed."""
    box(opened, "vcss-right-pain").first.focus()
    press(opened, "1", "0", "2", "0", "0", "0", "0", "0", "0")
    assert focused(opened) == "vcss-right-ulcer_comment"
    press(opened, "Enter", "3")
    assert focused(opened) == "vcss-left-pain"  # what stands as proposed is passed by
    assert re.search(r"/visits/\d+/$", opened.url)
    picture(opened, "vcss")
    opened.locator("#form-vcss").get_by_role("button", name="Complete").press("Enter")
    opened.get_by_text("VCSS: complete.").wait_for()
    with user_scope(clinic.ana):
        assert [record.total for record in Vcss.objects.filter(entry__visit=visit)] == [6]


def test_letters_find_an_answer_in_a_long_list(opened):
    opened.locator("#form-ceap h2").focus()
    press(opened, "Enter")
    assert focused(opened) == "ceap-right-clinical"
    box(opened, "ceap-right-anatomy").first.focus()
    press(opened, "g", "s", "v", "a", "Space")
    checked = opened.locator('[name="ceap-right-anatomy"]:checked')
    assert checked.evaluate_all("boxes => boxes.map(box => box.value)") == ["GSVa"]
    press(opened, "Enter")
    assert focused(opened) == "ceap-right-pathophysiology"


def test_arrows_move_within_a_group_and_tab_goes_down_a_leg_before_the_other(opened):
    box(opened, "vcss-right-pain").first.focus()
    press(opened, "Space", "ArrowDown", "ArrowDown")
    assert opened.locator('[name="vcss-right-pain"]:checked').get_attribute("value") == "2"
    seen = []
    for _ in range(40):
        seen.append(focused(opened))
        press(opened, "Tab")
    legs = [name.split("-")[1] for name in seen if name.startswith("vcss-")]
    assert legs == sorted(legs, reverse=True)
    assert {"right", "left"} == set(legs)


def test_enter_never_submits_and_leaves_kanji_conversion_alone(opened):
    examiner = box(opened, "laboratory-examiner")
    requests = []
    opened.on("request", lambda request: requests.append(request.url))
    examiner.focus()
    examiner.evaluate(
        """box => box.dispatchEvent(new KeyboardEvent("keydown",
             {key: "Enter", bubbles: true, cancelable: true, isComposing: true}))"""
    )
    assert focused(opened) == "laboratory-examiner"
    press(opened, "Enter")
    assert focused(opened) == "laboratory-sampled_on"
    assert requests == []


def test_the_wheel_and_commas_leave_a_number_as_typed(opened):
    crp = box(opened, "laboratory-crp")
    crp.fill("1,5")
    crp.hover()
    opened.mouse.wheel(0, 200)
    press(opened, "ArrowUp")
    assert crp.input_value() == "1,5"


def test_ctrl_s_and_alt_s_save_the_section_one_is_in(opened):
    for key, text in (("Control+s", "3"), ("Alt+s", "4")):
        box(opened, "laboratory-crp").fill(text)
        with opened.expect_request("**/forms/laboratory/") as asked:
            box(opened, "laboratory-crp").press(key)
        assert f"laboratory-crp={text}" in asked.value.post_data
        expect(opened.locator("#save-state")).to_have_text(re.compile(r"^Saved \d\d:\d\d$"))
        assert box(opened, "laboratory-crp").input_value() == text


def test_an_answer_can_be_cleared(opened):
    group = item(opened, "laboratory-bacterial_culture")
    expect(group.get_by_role("button", name="Clear answer")).to_have_count(0)
    box(opened, "laboratory-bacterial_culture").first.focus()
    press(opened, "2")
    clear = group.get_by_role("button", name="Clear answer")
    assert clear.bounding_box()["height"] >= 24
    clear.click()
    assert group.locator("input:checked").count() == 0
    expect(clear).to_have_count(0)


# -- absence -----------------------------------------------------------------------------------


def test_a_typed_code_takes_the_place_of_a_value_and_is_undone(opened):
    crp = item(opened, "laboratory-crp")
    typed(opened, "laboratory-crp", "4.4")
    typed(opened, "laboratory-crp", ".nd")
    box(opened, "laboratory-crp").wait_for()
    assert box(opened, "laboratory-crp").input_value() == ""
    assert box(opened, "laboratory-crp").get_attribute("placeholder") == "not done"
    expect(crp.get_by_text("“4.4” goes: not done.")).to_be_visible()
    crp.get_by_role("button", name="Undo").click()
    assert box(opened, "laboratory-crp").input_value() == "4.4"
    assert box(opened, "laboratory-crp__absent").input_value() == ""


def test_typing_into_a_coded_item_takes_the_code_back(opened):
    typed(opened, "laboratory-crp", ".rf")
    typed(opened, "laboratory-crp", "-99")
    assert box(opened, "laboratory-crp").input_value() == "-99"
    assert box(opened, "laboratory-crp__absent").input_value() == ""


def test_a_group_takes_a_code_by_key_and_loses_it_to_an_answer(opened):
    culture = box(opened, "laboratory-bacterial_culture")
    culture.first.focus()
    press(opened, ".", "u", "k")
    assert box(opened, "laboratory-bacterial_culture__absent").input_value() == "unknown"
    assert focused(opened) == "laboratory-fungal_culture"
    culture.first.focus()
    press(opened, "1")
    assert box(opened, "laboratory-bacterial_culture__absent").input_value() == ""


@pytest.mark.parametrize("name", ["laboratory-crp", "laboratory-bacterial_culture"])
def test_two_dots_code_the_rest(opened, name):
    typed(opened, "laboratory-calcium_total", "2.4")
    box(opened, name).first.focus()
    press(opened, ".", ".", "u", "k")
    laboratory = opened.locator("#form-laboratory")
    expect(laboratory.get_by_text("10 items: unknown.")).to_be_visible()
    assert box(opened, "laboratory-calcium_total").input_value() == "2.4"
    assert box(opened, "laboratory-sampled_on__absent").input_value() == "unknown"


def test_the_rest_not_done_fills_only_the_blanks_and_undoes_as_one(opened):
    laboratory = opened.locator("#form-laboratory")
    typed(opened, "laboratory-sampled_on", "v")
    typed(opened, "laboratory-calcium_total", "2.4")
    typed(opened, "laboratory-albumin", "41")
    opened.select_option("[name=rest-laboratory]", "not_done")
    laboratory.get_by_role("button", name="Fill the blanks").click()
    expect(laboratory.get_by_text("8 items: not done.")).to_be_visible()
    assert box(opened, "laboratory-crp__absent").input_value() == "not_done"
    assert box(opened, "laboratory-albumin__absent").input_value() == ""
    picture(opened, "laboratory")
    laboratory.locator("[data-rest-undo]").click()
    assert laboratory.locator(".absent.coded").count() == 0
    assert box(opened, "laboratory-albumin").input_value() == "41"


# -- what is read back ---------------------------------------------------------------------------


def test_dates_and_numbers_are_read_back(opened, visit):
    target = visit.attended_on
    typed(opened, "laboratory-sampled_on", "v")
    echo(opened, "laboratory-sampled_on", re.compile(rf"{target.year}, 365 days after Baseline"))
    assert box(opened, "laboratory-sampled_on").input_value() == target.isoformat()
    typed(opened, "laboratory-sampled_on", "03/04/2026")
    echo(opened, "laboratory-sampled_on", re.compile("can mean"))
    typed(opened, "laboratory-calcium_total", "<2,4")
    echo(opened, "laboratory-calcium_total", "< 2.4 mmol/L")
    days = item(opened, "laboratory-done_on").locator(".days")
    box(opened, "laboratory-done_on").focus()
    press(opened, "Tab")
    assert focused(opened) == "laboratory-examiner"  # Tab passes the buttons by
    box(opened, "laboratory-done_on").focus()
    below = box(opened, "laboratory-examiner").bounding_box()
    here = days.bounding_box()
    assert here["y"] + here["height"] <= below["y"]  # they cover no other item's box
    days.get_by_role("button", name="Yesterday").click()
    echo(opened, "laboratory-done_on", re.compile("after Baseline"))


def test_offline_nothing_is_read_back_and_nothing_is_lost(opened, context):
    context.set_offline(True)
    typed(opened, "laboratory-crp", "7")
    assert focused(opened) == "laboratory-autoimmune_serology"
    assert box(opened, "laboratory-crp").input_value() == "7"
    context.set_offline(False)


def change_unit(page, choice):
    typed(page, "laboratory-calcium_total", "9.8")
    page.check('[name="laboratory-calcium_total__unit"][value="mg/dL"]')
    page.get_by_role("button", name=re.compile(choice)).click()
    page.check('[name="laboratory-calcium_total__unit"][value="mmol/L"]')


def test_changing_the_unit_asks_whether_the_number_changes_too(opened):
    calcium = item(opened, "laboratory-calcium_total")
    change_unit(opened, "Keep the number")
    dialog = opened.get_by_role("dialog")
    expect(dialog).to_contain_text("9.8 was typed as mg/dL.")
    dialog.get_by_role("button", name="Convert the number: 2.45 mmol/L").click()
    assert box(opened, "laboratory-calcium_total").input_value() == "2.45"
    expect(calcium).to_contain_text("was 9.8 mg/dL")
    calcium.get_by_role("button", name="Undo").click()
    assert box(opened, "laboratory-calcium_total").input_value() == "9.8"
    assert (
        opened.locator('[name="laboratory-calcium_total__unit"]:checked').get_attribute("value")
        == "mg/dL"
    )


def test_escape_leaves_number_and_unit_as_they_were(opened):
    change_unit(opened, "Keep the number")
    opened.get_by_role("dialog").wait_for()
    press(opened, "Escape")
    expect(opened.get_by_role("dialog")).to_have_count(0)
    assert box(opened, "laboratory-calcium_total").input_value() == "9.8"
    assert (
        opened.locator('[name="laboratory-calcium_total__unit"]:checked').get_attribute("value")
        == "mg/dL"
    )


def test_an_unusual_value_is_asked_about_and_settled(opened, visit, clinic):
    typed(opened, "laboratory-sampled_on", "v")
    typed(opened, "laboratory-calcium_total", "3.2")
    opened.locator("#form-laboratory").get_by_role("button", name="Complete").click()
    opened.get_by_text("Laboratory: complete.").wait_for()
    calcium = item(opened, "laboratory-calcium_total")
    expect(calcium.locator(".warning")).to_contain_text(
        "Check: Total calcium 3.2 mmol/L is unusual"
    )
    calcium.get_by_role("checkbox", name="It is right").check()
    calcium.get_by_role("textbox", name="because").fill("second sample says the same")
    opened.locator("#form-laboratory").get_by_role("button", name="Complete").click()
    expect(calcium.locator(".warning")).not_to_contain_text("Check:")
    with user_scope(clinic.ana):
        assert Laboratory.objects.get(entry__visit=visit).confirmed == {"calcium_total": "3.200"}


# -- conditions and legs -------------------------------------------------------------------------


@pytest.fixture
def with_ulcer(opened, visit, clinic):
    ulcer(clinic.ana, visit)
    opened.reload()
    return opened


def test_what_is_asked_only_of_open_ulcers_shows_and_never_vanishes_silently(with_ulcer):
    page, length = with_ulcer, item(with_ulcer, "ulcers-right-R1-length_mm")
    picture(page, "ulcers")
    expect(length).to_be_hidden()
    box(page, "ulcers-right-R1-ulcer_status").first.focus()
    press(page, "1")
    expect(length).to_be_visible()
    typed(page, "ulcers-right-R1-length_mm", "30")
    box(page, "ulcers-right-R1-ulcer_status").first.focus()
    press(page, "2")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Length: 30")
    dialog.get_by_role("button", name="Keep them").click()
    assert page.locator('[name="ulcers-right-R1-ulcer_status"]:checked').input_value() == "open"
    assert box(page, "ulcers-right-R1-length_mm").input_value() == "30"
    box(page, "ulcers-right-R1-ulcer_status").first.focus()
    press(page, "2")
    page.get_by_role("button", name="Remove them").click()
    expect(length).to_be_hidden()
    assert box(page, "ulcers-right-R1-length_mm").input_value() == ""
    picture(page, "ulcers", "ulcers-closed")


def test_a_copied_leg_is_complete_only_when_confirmed(opened, visit, clinic):
    section = opened.locator("#form-vcss")
    box(opened, "vcss-right-pain").first.focus()
    press(opened, "1", "0", "2", "0", "0", "0", "0", "0", "0", "Enter", "3")
    box(opened, "vcss-left-pain").first.focus()
    press(opened, "3")
    section.get_by_role("button", name="Same as right leg").click()
    assert opened.locator('[name="vcss-left-oedema"]:checked').input_value() == "2"
    assert opened.locator('[name="vcss-left-pain"]:checked').input_value() == "3"
    assert section.locator(".item > .copied").count() == 9
    picture(opened, "vcss", "vcss-copied")
    section.get_by_role("button", name="Complete").click()
    opened.locator(".problems").get_by_text("Left: Copied from the other leg").wait_for()
    assert section.locator(".item > .copied").count() == 9
    box(opened, "vcss-left-oedema").first.focus()
    press(opened, "1")
    assert section.locator(".item > .copied").count() == 8
    section.get_by_role("button", name="Confirm all copied").click()
    section.get_by_role("button", name="Complete").click()
    opened.get_by_text("VCSS: complete.").wait_for()
    with user_scope(clinic.ana):
        totals = [record.total for record in Vcss.objects.order_by("-entry__limb")]
    assert totals == [6, 7]


# -- without this script ---------------------------------------------------------------------------


def test_the_page_works_without_script(browser, opened, server):
    context = browser.new_context(
        java_script_enabled=False, storage_state=opened.context.storage_state()
    )
    page = context.new_page()
    page.goto(opened.url)
    for score in ("pain", "oedema"):
        page.check(f'[name="vcss-right-{score}"][value="1"]')
    section = page.locator("#form-vcss")
    section.get_by_role("button", name="Same as right leg").click()
    page.get_by_text("2 items copied.").wait_for()
    assert page.locator('[name="vcss-left-pain"]:checked').get_attribute("value") == "1"
    assert page.locator('[name="vcss-left-pain__copied"]').is_checked()
    page.select_option("[name=rest-vcss-right]", "not_done")
    section.get_by_role("button", name="Fill the blanks").first.click()
    page.get_by_text("draft saved. 8 items").wait_for()
    section.get_by_role("button", name="Undo").first.click()
    page.get_by_text("draft saved. 8 items").wait_for()
    assert page.locator('[name="vcss-right-compression__absent"]').input_value() == ""
    page.locator('[name="vcss-right-ulcer_comment"]').press("Enter")  # keeps a draft, no more
    page.get_by_text("VCSS: draft saved.").wait_for()
    context.close()
