"""What is grouped leaves as the profile says, with values (the protocol's last table)."""

import json
from datetime import timedelta

import pytest

from registry.access.scope import user_scope
from registry.ulcers import rules
from registry.ulcers.models import Ulcer, UlcerAssessment
from registry.visits.models import FormEntry, Visit

from .. import build
from .conftest import ENROLLED


@pytest.fixture
def visit(cohort):
    with user_scope(cohort.ana):
        return Visit.objects.select_related("participant__site").get(
            participant=cohort.people[0], code="BL"
        )


def test_body_leaves_as_a_class_or_in_steps_of_five(cohort, built, visit):
    build.form(cohort.ana, visit, "history", height_cm="172.4", weight_kg="88.0")
    [row] = built(forms=["history"]).table("history")
    assert row["history_bmi_class"] == "overweight"  # 29.6
    assert not {"history_height_cm", "history_weight_kg", "history_bmi"} & row.keys()
    [row] = built("limited", forms=["history"]).table("history")
    assert (row["history_height_cm"], row["history_weight_kg"]) == ("170", "90")
    assert row["history_bmi"] == "29.6"


@pytest.mark.parametrize(
    ("answers", "together"),
    [
        ({}, "0"),
        ({"lupus": True}, "1"),
        ({"systemic_sclerosis": True, "dialysis": None}, "1"),
        ({"dialysis": None}, ""),
    ],
)
def test_rare_conditions_leave_as_one(cohort, built, visit, answers, together):
    build.form(cohort.ana, visit, "history", **answers)
    [row] = built(forms=["history"]).table("history")
    assert row["history_rare_systemic_condition"] == together
    assert not any("lupus" in name or "sclerosis" in name for name in row)
    assert row["history_rheumatoid_arthritis"] == "0"
    [row] = built("limited", forms=["history"]).table("history")
    as_stored = {True: "1", False: "0", None: ""}
    assert row["history_lupus"] == as_stored[answers.get("lupus", False)]
    assert row["history_dialysis"] == as_stored[answers.get("dialysis", False)]
    assert "history_rare_systemic_condition" not in row


def test_major_events_leave_as_one_and_minor_ones_as_they_are(cohort, built, visit):
    someone = visit.participant
    for values in (
        {"kind": "amputation_toe", "limb": "left", "related_to_ulcer": True},
        {"kind": "cellulitis", "limb": "left", "related_to_ulcer": True},
        {"kind": "death", "cause_of_death": "sepsis"},
    ):
        build.row(cohort.ana, someone, "event", occurred_on=ENROLLED, **values)
    build.row(cohort.ana, someone, "end", ended_on=ENROLLED, reason="died")
    build.row(cohort.ana, cohort.people[1], "end", ended_on=ENROLLED, reason="moved")
    build.row(cohort.ben, cohort.people[2], "end", ended_on=ENROLLED, reason="completed")
    opened = built(forms=["event", "end"])
    columns = ["occurrence", "event_kind", "event_limb", "event_related_to_ulcer"]
    assert [[row[name] for name in columns] for row in opened.table("event")] == [
        ["1", "major_event", "", ""],
        ["2", "cellulitis", "left", "1"],
        ["3", "major_event", "", ""],
    ]
    assert "event_cause_of_death" not in opened.table("event")[0]
    reasons = sorted(row["end_reason"] for row in opened.table("end"))
    assert reasons == ["completed", "not_completed", "not_completed"]
    opened = built("limited", forms=["event", "end"])
    kinds = [row["event_kind"] for row in opened.table("event")]
    assert kinds == ["amputation_toe", "cellulitis", "death"]
    assert [row["event_cause_of_death"] for row in opened.table("event")] == ["", "", "sepsis"]
    reasons = sorted(row["end_reason"] for row in opened.table("end"))
    assert reasons == ["completed", "died", "moved"]


def test_no_absence_code_tells_one_major_event_from_another(cohort, built, visit):
    """A death is not asked for its leg, so a code there would be an amputation's."""
    build.row(
        cohort.ana,
        visit.participant,
        "event",
        kind="amputation_toe",
        occurred_on=ENROLLED,
        absent={"limb": "unknown", "related_to_ulcer": "unknown"},
    )

    def told(profile):
        codes = built(profile, forms=["event"]).table("absence_codes")
        return {(row["form"], row["item"]) for row in codes if row["form"] == "event"}

    assert told("safe_harbor") == set()
    assert told("limited") == {("event", "limb"), ("event", "related_to_ulcer")}


def test_dialysis_leaves_as_another_treatment_beside_grouped_conditions(cohort, built, visit):
    for kind in ("dialysis", "other", "bisphosphonate"):
        about = {"kind": kind, "started_on": "2020", "ongoing": True}
        build.row(cohort.ana, visit.participant, "treatment", **about)

    def kinds(profile):
        opened = built(profile, forms=["treatment"])
        return opened, [row["treatment_kind"] for row in opened.table("treatment")]

    opened, told = kinds("safe_harbor")
    assert told == ["other", "other", "bisphosphonate"]
    described = json.loads(opened.files["codebook.json"])["tables"]
    [column] = [c for t in described for c in t["columns"] if c["column"] == "treatment_kind"]
    assert "dialysis" not in {choice["code"] for choice in column["choices"]}
    assert "dialysis leaves as other" in column["made"]
    assert kinds("limited")[1] == ["dialysis", "other", "bisphosphonate"]


def test_a_log_has_one_row_an_occurrence_with_its_leg(cohort, built, visit):
    for limb in ("right", "both"):
        build.row(
            cohort.ana,
            visit.participant,
            "treatment",
            kind="compression_stocking",
            limb=limb,
            started_on="2024-02",
            ongoing=True,
            note="Kanarienvogel",
        )
    opened = built(forms=["treatment"])
    rows = opened.table("treatment")
    assert list(rows[0])[:2] == ["participant", "occurrence"]
    assert [(row["occurrence"], row["treatment_limb"]) for row in rows] == [
        ("1", "right"),
        ("2", "both"),
    ]
    assert rows[0]["treatment_started_on_precision"] == "month"
    assert b"Kanarienvogel" not in opened.everything


def test_calciphylaxis_leaves_together_with_metastatic(cohort, built, visit):
    judged = {"proposal_confirmed": False, "basis": "histology", "override_reason": "biopsy"}
    for limb, kind in (("right", "calciphylaxis"), ("left", "dystrophic")):
        build.form(cohort.ana, visit, "calcinosis", limb, overridden_to=kind, **judged)

    def types(profile):
        rows = built(profile, forms=["calcinosis"]).table("calcinosis")
        return {row["limb"]: row["calcinosis_calcinosis_type"] for row in rows}

    assert types("safe_harbor") == {"right": "systemic_type", "left": "dystrophic"}
    assert types("limited") == {"right": "calciphylaxis", "left": "dystrophic"}


def test_the_eq5d_profile_leaves_as_its_five_digits(cohort, built, visit):
    build.form(cohort.ana, visit, "reported_outcomes", eq5d_profile="12345")
    [row] = built(forms=["reported_outcomes"]).table("reported_outcomes")
    assert row["reported_outcomes_eq5d_profile"] == "12345"


def test_age_at_the_first_ulcer_counts_reported_ones_and_leaves_in_bands(cohort, built, visit):
    build.row(cohort.ana, visit.participant, "past_ulcer", limb="left", onset_on="1999-10")
    assert "participant_age_at_first_ulcer" not in built().table("participants")[0]
    ages = [r["participant_age_at_first_ulcer"] for r in built("limited").table("participants")]
    assert sorted(ages) == ["40 to 49", "60 to 69", "60 to 69"]  # 68 at enrolment in 2024


def test_outcomes_of_ulcers_are_those_of_the_rule(cohort, built):
    """Healed, amputated, died and censored; safe harbor says only whether it healed."""
    stories = ["o0 c20 c40", "o0 c20 c33", "o0 c20 o30 c40"]  # open or closed on a day
    someone, other, third = cohort.people
    expected = {}
    with user_scope(cohort.ana):
        for number, story in enumerate(stories, 2):
            ulcer = Ulcer.objects.filter(participant=someone).first()
            ulcer.pk, ulcer.label = None, f"R{number}"
            ulcer.save(force_insert=True)
            for state, day in ((word[0], int(word[1:])) for word in story.split()):
                entry = FormEntry.objects.create(
                    participant=someone,
                    form="ulcers",
                    limb="right",
                    occurrence=f"{ulcer.label}-{day}",
                    state="complete",
                )
                UlcerAssessment.objects.create(
                    entry=entry,
                    ulcer=ulcer,
                    assessed_on=ENROLLED + timedelta(days=day),
                    ulcer_status={"o": "open", "c": "closed"}[state],
                )
            expected[ulcer.label] = rules.ulcer_outcome(ulcer.course())
    assert list(expected.values()) == ["healed", "censored", "censored"]

    def outcomes(profile, of):
        rows = built(profile, forms=["ulcers"]).table("ulcers")
        groups = {}
        for row in rows:
            groups.setdefault(row["participant"], {})[row["ulcer"]] = row["ulcer_ulcer_outcome"]
        return sorted(groups.values(), key=lambda group: (-len(group), group["R1"]))[of]

    assert outcomes("limited", 0) == {"R1": "censored"} | expected
    build.row(cohort.ana, other, "event", kind="death", occurred_on=ENROLLED.replace(year=2025))
    assert outcomes("limited", 2) == {"R1": rules.ulcer_outcome(rules.Course(), died_on=ENROLLED)}
    build.row(
        cohort.ana,
        other,
        "event",
        kind="amputation_below_knee",
        limb="right",
        occurred_on=ENROLLED.replace(month=9),
    )
    assert outcomes("limited", 1) == {
        "R1": rules.ulcer_outcome(rules.Course(), leg_lost_on=ENROLLED)
    }
    assert set(outcomes("safe_harbor", 0).values()) == {"healed", "not_healed"}
    assert outcomes("safe_harbor", 1) == {"R1": "not_healed"}
