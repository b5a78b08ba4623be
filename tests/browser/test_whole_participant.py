"""A whole participant by the pages alone: screened, an ulcer that heals and recurs, one year."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.crfs.examination import Examination
from registry.crfs.history import History
from registry.crfs.vcss import SKIN_SCORES
from registry.crfs.villalta import SIGNS, SYMPTOMS

from ..build import no
from ..people import PASSWORD
from .walk import (
    add_row,
    consent,
    enrol,
    enter,
    open_visit,
    picture,
    plan,
    record_ulcer,
    screen,
    start_visit,
)

pytestmark = pytest.mark.browser

HEALED_LEG = {"leg_status": "present", "any_open_ulcer": False}
ULCER_LEG = {"leg_status": "present", "any_open_ulcer": True}
# No film is read: there is no type to propose.
UNSEEN = {"proposal_confirmed__absent": "not_assessable"}
SKIN = dict.fromkeys(SKIN_SCORES, 1) | {"compression": 2}
NO_ULCER = {"active_ulcers": 0, "ulcer_duration": 0, "ulcer_size": 0}


def open_ulcer(length, width, **more):
    return {
        "ulcer_status": "open",
        "length_mm": length,
        "width_mm": width,
        "area_method": "ruler_ellipse",
        "extruded_calcium": False,
    } | more


CLOSED = {
    "ulcer_status": "closed",
    "closure_by": "secondary_intention",
    "extruded_calcium": False,
}


def advanced(anatomy):
    return {
        "etiology": ["Ep"],
        "anatomy": anatomy,
        "pathophysiology": "Pr",
        "investigation_level": "LII",
    }


def baseline(page, server, number, enrolled):
    """Every form of the baseline visit, and the rows of its logs."""
    start_visit(page, server, number, "Baseline", enrolled)
    visit = page.url
    enter(
        page,
        "history",
        height_cm=165,
        weight_kg="82,5",
        smoking="former",
        **no(History) | {"hypertension": True},
    )
    enter(
        page,
        "leg_history",
        right={"previous_dvt": False, "previous_ulcer": False, "joint_replacement": ["none"]},
        left={
            "previous_dvt": True,
            "dvt_year": 2012,
            "previous_ulcer": True,
            "joint_replacement": ["knee"],
        },
    )
    logs = f"{server}/participants/{number}/logs"
    page.goto(f"{logs}/local_damage/")
    add_row(page, "local_damage", done_on=enrolled, limb="right", kind="trauma", year=1998)
    page.goto(f"{logs}/venous_treatment/")
    add_row(
        page,
        "venous_treatment",
        done_on=enrolled,
        limb="right",
        kind="stripping",
        segments=["GSV"],
        year=2011,
    )
    page.goto(f"{logs}/past_ulcer/")
    add_row(
        page,
        "past_ulcer",
        done_on=enrolled,
        limb="left",
        onset_on="2015-05",
        reported_closed_on="2016",
        source="participant",
    )
    page.goto(f"{logs}/treatment/")
    add_row(
        page,
        "treatment",
        done_on=enrolled,
        kind="compression_bandage",
        limb="both",
        started_on=str(enrolled.year - 1),
        ongoing=True,
        compression_mmhg="20_to_40",
    )
    picture(page, "log")

    page.goto(visit)
    record_ulcer(
        page,
        "right",
        location=["medial_malleolus"],
        onset_on=f"{enrolled - timedelta(days=200):%Y-%m}",
        ulcer_cause="venous",
    )
    enter(page, "leg_check", right=ULCER_LEG, left=HEALED_LEG)
    for_both = {"pulses": "normal", "abpi": "1.05", "oedema": 1, **no(Examination)}
    enter(
        page,
        "examination",
        right=for_both
        | {
            "lipodermatosclerosis": True,
            "palpable_hard_plaque": True,
            "duplex_done": True,
            "duplex_on": enrolled,
            "reflux_segments": ["GSV"],
            "obstruction_segments": ["none"],
            "incompetent_perforators": True,
            "vein_wall_calcification": False,
            "echogenic_zones": ["distal_medial"],
        },
        left=for_both | {"pigmentation": True},
    )
    enter(
        page,
        "ceap",
        right={"clinical": "C6", "symptomatic": True, **advanced(["GSVa"])},
        left={"clinical": "C5", "symptomatic": True, **advanced(["Ad"])},
    )
    enter(
        page,
        "vcss",
        right=SKIN | {"active_ulcers": 1, "ulcer_duration": 2, "ulcer_size": 2},
        left=SKIN | NO_ULCER,
    )
    enter(page, "villalta", left=dict.fromkeys([*SYMPTOMS, *SIGNS], 1))
    enter(
        page,
        "laboratory",
        sampled_on="v",
        calcium_total="2.3",
        albumin="41",
        phosphate="1.1",
        creatinine="80",
    )
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
        },
        left={"performed": False},
    )
    enter(page, "ulcers", R1=open_ulcer(40, 20, extruded_calcium=True, pain_nrs=6))
    enter(
        page,
        "log_review",
        treatment="entries_made",
        event="nothing_new",
        local_damage="entries_made",
        venous_treatment="entries_made",
        past_ulcer="entries_made",
    )
    enter(
        page,
        "calcinosis",
        right=UNSEEN,
        left=UNSEEN,
    )
    enter(
        page, "reported_outcomes", pain_nrs=5, eq5d_profile="21222", eq5d_version="5L", eq5d_vas=60
    )
    picture(page, "baseline", whole=True)


def clinical(right, left="C5"):
    """The class of both legs, as the short visits ask for it."""
    return {
        "right": {"clinical": right, "symptomatic": True},
        "left": {"clinical": left, "symptomatic": True},
    }


def short_visit(page, server, number, label, day, right_class, ulcer=None, new_ulcer=None):
    """A visit between the yearly ones; ``ulcer``: (label, assessment, VCSS scores)."""
    start_visit(page, server, number, label, day)
    if new_ulcer:
        record_ulcer(page, "right", **new_ulcer)
    label, assessment, scores = ulcer
    is_open = assessment["ulcer_status"] == "open"
    enter(page, "leg_check", right=ULCER_LEG if is_open else HEALED_LEG, left=HEALED_LEG)
    enter(page, "ceap", **clinical(right_class))
    enter(page, "vcss", right=SKIN | scores, left=SKIN | NO_ULCER)
    enter(page, "ulcers", **{label: assessment})
    enter(page, "log_review", treatment="nothing_new", event="nothing_new")
    enter(
        page, "reported_outcomes", pain_nrs=3, eq5d_profile="11121", eq5d_version="5L", eq5d_vas=70
    )


def ulcer_check(page, server, number, label, day, **ulcer):
    """A visit planned by an ulcer: the legs, the ulcer, and the logs where they are asked."""
    start_visit(page, server, number, label, day)
    is_open = any(one["ulcer_status"] == "open" for one in ulcer.values())
    enter(page, "leg_check", right=ULCER_LEG if is_open else HEALED_LEG, left=HEALED_LEG)
    enter(page, "ulcers", **ulcer)
    if label.startswith("Ulcer check"):
        enter(page, "log_review", treatment="nothing_new", event="nothing_new")


def twelve_months(page, server, number, day):
    """The yearly visit: the recurrence is closed again."""
    start_visit(page, server, number, "12 months", day)
    enter(page, "body", weight_kg=80)
    enter(page, "leg_check", right=HEALED_LEG, left=HEALED_LEG)
    skin = {"pulses": "normal", "abpi": "1.1", "oedema": 1, **no(Examination)}
    enter(
        page,
        "examination",
        right=skin | {"lipodermatosclerosis": True},
        left=skin | {"pigmentation": True},
    )
    enter(
        page,
        "ceap",
        right={"clinical": "C5", "symptomatic": True, **advanced(["GSVa"])},
        left={"clinical": "C5", "symptomatic": False, **advanced(["Ad"])},
    )
    enter(page, "vcss", right=SKIN | NO_ULCER, left=SKIN | NO_ULCER)
    enter(page, "villalta", left=dict.fromkeys([*SYMPTOMS, *SIGNS], 1))
    enter(page, "laboratory", sampled_on="v", calcium_total="2.35", albumin="40", phosphate="1.0")
    enter(page, "xray", right={"performed": False}, left={"performed": False})
    enter(page, "ulcers", R2=CLOSED)
    enter(page, "log_review", treatment="nothing_new", event="nothing_new")
    enter(page, "calcinosis", right=UNSEEN, left=UNSEEN)
    enter(
        page, "reported_outcomes", pain_nrs=1, eq5d_profile="11111", eq5d_version="5L", eq5d_vas=90
    )


def course_of(page, label):
    """What the participant's page says of an ulcer."""
    return page.locator("dt", has_text=f"Ulcer {label}").locator("+ dd").inner_text()


def test_a_whole_participant(page, server, clinic, sign_in):
    enrolled = clinic.tokyo.today - timedelta(days=430)

    def day(number):
        return enrolled + timedelta(days=number)

    sign_in(clinic.ana)
    screen(page, server, day(-2))
    consent(page, enrolled)
    number = enrol(page, enrolled, "Whole")
    visits = ["Baseline", "3 months", "6 months", "12 months"]
    assert work(page, server)["Overdue"] == visits
    states = plan(page, server, number)
    assert set(states.values()) == {"Overdue", "Planned"}
    assert states["12 months"] == "Overdue"

    baseline(page, server, number, enrolled)
    states = plan(page, server, number)
    assert states["Baseline"] == "Complete"
    assert states["Ulcer check 1"] == "Overdue"
    picture(page, "participant-bl", whole=True)
    assert queries(page) == []

    ulcer_check(page, server, number, "Ulcer check 1", day(28), R1=open_ulcer(30, 15))
    states = plan(page, server, number)
    assert (states["Ulcer check 1"], states["Ulcer check 2"]) == ("Complete", "Overdue")
    assert course_of(page, "R1").startswith("Open, last seen on ")

    short_visit(page, server, number, "3 months", day(91), "C5", ("R1", CLOSED, NO_ULCER))
    states = plan(page, server, number)
    assert (states["Ulcer check 2"], states["Healing confirmation 1"]) == ("Cancelled", "Overdue")
    assert "not yet confirmed" in course_of(page, "R1")

    ulcer_check(page, server, number, "Healing confirmation 1", day(106), R1=CLOSED)
    states = plan(page, server, number)
    assert states["Healing confirmation 1"] == "Complete"
    assert "Healing confirmation 2" not in states
    assert course_of(page, "R1").startswith("Healed on ")

    short_visit(
        page,
        server,
        number,
        "6 months",
        day(182),
        "C6r",
        ("R2", open_ulcer(15, 10), {"active_ulcers": 1, "ulcer_duration": 1, "ulcer_size": 1}),
        {"location": ["medial_malleolus"], "onset_on": day(170), "ulcer_cause": "venous"},
    )
    page.get_by_role("link", name="Course of ulcer R2").click()
    page.get_by_role("heading", name="Ulcer R2").wait_for()
    kind = page.locator("dt", has_text="First or recurrent").locator("+ dd").inner_text()
    assert kind == "recurrent at the same place, 79 days after R1 healed"
    picture(page, "ulcer", whole=True)
    assert plan(page, server, number)["Ulcer check 3"] == "Overdue"

    ulcer_check(page, server, number, "Ulcer check 3", day(210), R2=open_ulcer(10, 5))
    assert plan(page, server, number)["Ulcer check 4"] == "Overdue"
    twelve_months(page, server, number, day(365))
    states = plan(page, server, number)
    assert states["12 months"] == "Complete"
    assert states["Ulcer check 4"] == "Cancelled"
    assert states["Healing confirmation 2"] == "Overdue"
    assert course_of(page, "R2").startswith("Closed on ")
    assert queries(page) == []
    picture(page, "participant-m12", whole=True)
    marks = page.locator(".drawing a.mark").evaluate_all(
        "marks => marks.map(mark => mark.getAttribute('aria-label'))"
    )
    for begins in (
        "Right leg, Ulcer R1, onset ",
        "Right leg, Ulcer R2, onset ",
        "Participant, Ulcer check 2",
        "Participant, 12 months",
    ):
        assert any(mark.startswith(begins) for mark in marks), begins
    assert work(page, server)["Overdue"] == ["Healing confirmation 2"]

    sign_in(clinic.hiro)
    sign_and_lock(page, server, number)
    assert plan(page, server, number)["12 months"] == "Locked"
    waiting = work(page, server)["Waiting for signature"]
    assert len(waiting) == 6
    assert "12 months" not in waiting
    picture(page, "home-investigator")


def work(page, server):
    """The groups of the home page: title → the visits named in it."""
    page.goto(server)
    picture(page, "home")
    groups = {}
    for group in page.locator("section.work").all():
        title = group.locator("h2 span").first.inner_text().strip()
        places = group.locator("li .place").all_inner_texts()
        groups[title] = [place.split(" · ")[1] for place in places]
    return groups


def queries(page):
    """What the participant's page asks."""
    return page.locator(".open-queries li").all_inner_texts()


def sign_and_lock(page, server, number):
    """The investigator signs the 12-month visit with the password, and locks it."""
    open_visit(page, server, number, "12 months")
    page.get_by_role("link", name="Sign the visit").click()
    page.locator('[name="meaning"]').first.check()
    page.fill("#id_password", PASSWORD)
    picture(page, "sign", whole=True)
    page.get_by_role("button", name="Sign", exact=True).click()
    page.locator("#signing .state.signed").wait_for()
    assert "Hiro Mori" in page.locator("#signing div.signed").inner_text()
    page.get_by_role("button", name="Lock the visit").click()
    page.locator("#signing .state.locked").wait_for()
    assert page.locator("form.answers input:enabled:not([type=hidden])").count() == 0
    page.locator("#signing").scroll_into_view_if_needed()
    picture(page, "locked", whole=True)
