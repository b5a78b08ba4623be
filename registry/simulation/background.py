"""What befalls a synthetic participant beside his calcification, and what the forms say of it.

Conditions, thromboses, treatments and events are drawn once (:func:`draw_background`); the forms
of each visit are then read off them and off the legs, so that no two of them contradict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from registry.crfs.body import body_mass_index
from registry.crfs.rules.villalta import grade
from registry.crfs.villalta import SIGNS, SYMPTOMS

# Condition → how many in a thousand have it.
CONDITIONS = {
    "hypertension": 450,
    "diabetes_type_1": 10,
    "diabetes_type_2": 160,
    "rheumatoid_arthritis": 25,
    "systemic_sclerosis": 4,
    "lupus": 4,
    "dermatomyositis": 1,
    "other_connective_tissue": 6,
    "panniculitis": 2,
    "chronic_kidney_disease": 80,
    "dialysis": 4,
    "kidney_transplant": 2,
    "hyperparathyroidism": 10,
    "sarcoidosis": 3,
    "malignancy": 70,
    "bone_disease": 5,
    "recurrent_erysipelas": 60,
    "peripheral_arterial_disease": 70,
    "heart_failure": 80,
}
# The simulated laboratory's upper limits.
CALCIUM_HIGH, PHOSPHATE_HIGH = 2.6, 1.5
YEAR = 365.25


@dataclass
class Row:
    """One row of a log: told from the day ``known_on`` on, at the next visit."""

    log: str
    known_on: date
    values: dict[str, Any]
    stopped_on: date | None = None


@dataclass
class Background:
    """What is true of a participant apart from his legs' skin and calcium."""

    height_cm: int
    weight_kg: float
    smoking: str
    conditions: dict[str, bool]
    dvt_year: dict[str, int]  # leg → year, before enrolment
    damaged: dict[str, int]  # leg → year of a trauma
    died_on: date | None
    rows: list[Row] = field(default_factory=list)  # not yet told
    told_until: date | None = None  # the last review of the logs


def draw_background(
    draw: Random, arm: str, age: float, classes: dict[str, int], enrolled_on: date, today: date
) -> Background:
    """``classes`` are the legs' classes at enrolment, 0 to 6."""
    venous = arm == "cvi"
    before = enrolled_on - timedelta(days=30)
    year = enrolled_on.year
    wait = draw.expovariate(0.012 * 1.06 ** (age - 70)) * YEAR
    died_on = enrolled_on + timedelta(days=30 + int(min(wait, 20_000)))
    one = Background(
        height_cm=round(min(200, max(142, draw.gauss(166, 9)))),
        weight_kg=round(min(170, max(45, draw.gauss(80, 15))), 1),
        smoking=draw.choices(("never", "former", "current"), (0.55, 0.3, 0.15))[0],
        conditions={name: draw.random() * 1000 < share for name, share in CONDITIONS.items()},
        dvt_year={
            limb: year - draw.randint(1, 20)
            for limb, number in classes.items()
            if venous and draw.random() < 0.04 + 0.03 * number
        },
        damaged={limb: year - draw.randint(1, 30) for limb in classes if draw.random() < 0.06},
        died_on=died_on if died_on < today else None,
    )
    one.rows += _treatments(draw, classes if venous else {}, before)
    one.rows += _events(draw, classes, enrolled_on, min(today, one.died_on or today))
    for limb, damaged_in in one.damaged.items():
        zones = draw.sample(("middle_medial", "distal_medial", "distal_anterior"), 1)
        values = {"limb": limb, "kind": "trauma", "zones": zones, "year": damaged_in}
        one.rows.append(Row("local_damage", before, values))
    for limb, number in classes.items():
        if venous and number >= 2 and draw.random() < 0.2:
            kind = draw.choice(("stripping", "endothermal", "foam_sclerotherapy"))
            done = {"kind": kind, "segments": ["GSVa"], "year": year - draw.randint(1, 15)}
            one.rows.append(Row("venous_treatment", before, {"limb": limb, **done}))
    return one


def _treatments(draw: Random, classes: dict[str, int], before: date) -> Iterator[Row]:
    def row(kind: str, **values: Any) -> Row:
        since = before - timedelta(days=draw.randint(0, 2000))
        return Row("treatment", before, {"kind": kind, "started_on": f"{since:%Y-%m}", **values})

    for limb, number in classes.items():
        if number >= 3 and draw.random() < 0.7:
            yield row("compression_stocking", limb=limb, compression_mmhg="20_to_40")
        if number == 6:
            yield row("dressing_alginate", limb=limb)
    if draw.random() < 0.05:
        yield row("anticoagulant_warfarin", indication="atrial_fibrillation")
    if draw.random() < 0.15:
        yield row("vitamin_d", indication="other")


def _events(draw: Random, classes: dict[str, int], enrolled_on: date, until: date) -> Iterator[Row]:
    def days(per_year: float) -> Iterator[date]:
        on = enrolled_on
        while True:
            wait = min(100, draw.expovariate(per_year))  # years
            on += timedelta(days=1 + int(wait * YEAR))
            if on >= until:
                return
            yield on

    def event(on: date, kind: str, **values: Any) -> Row:
        return Row("event", on, {"kind": kind, "occurred_on": on, **values})

    for limb, number in classes.items():
        ulcer = {"related_to_ulcer": number == 6}
        for on in days(0.01 + 0.01 * number):
            yield event(on, "cellulitis", limb=limb, **ulcer)
            treated = {"kind": "antibiotic_systemic", "limb": limb, "started_on": on.isoformat()}
            stopped_on = on + timedelta(days=10)
            infection = treated | {"indication": "infection"}
            yield Row("treatment", on, infection, stopped_on=stopped_on)
        for on in days(0.004):
            yield event(on, "dvt", limb=limb, related_to_ulcer=False)
        for on in days(0.02 if number == 6 else 0.001):
            yield event(on, "amputation_toe", limb=limb, **ulcer)
    for on in days(0.04):
        yield event(on, "hospital_admission", related_to_ulcer=False)


# -- forms of a visit --------------------------------------------------------------------------


def rows_told(about: Background, on: date) -> list[tuple[str, dict[str, Any]]]:
    """Take the rows known by the day ``on`` out of what is not yet told: (log, values)."""
    known = [row for row in about.rows if row.known_on <= on]
    about.rows = [row for row in about.rows if row.known_on > on]
    told = []
    for row in sorted(known, key=lambda row: row.known_on):
        values = dict(row.values)
        if row.log == "treatment":
            stopped_on = row.stopped_on if row.stopped_on and row.stopped_on <= on else None
            values |= {"ongoing": stopped_on is None, "stopped_on": stopped_on}
        told.append((row.log, values))
    return told


def history(about: Background) -> dict[str, Any]:
    return {
        "height_cm": about.height_cm,
        "weight_kg": about.weight_kg,
        "smoking": about.smoking,
        **about.conditions,
    }


def body(draw: Random, about: Background, height_told: bool) -> dict[str, Any]:
    weight = round(about.weight_kg + draw.gauss(0, 3), 1)
    height = about.height_cm if height_told else None
    return {"weight_kg": weight, "bmi": body_mass_index(Decimal(str(weight)), height)}


def leg_history(about: Background, limb: str, previous_ulcer: bool) -> dict[str, Any]:
    return {
        "previous_dvt": limb in about.dvt_year,
        "dvt_year": about.dvt_year.get(limb),
        "previous_ulcer": previous_ulcer,
        "joint_replacement": ["none"],
    }


def examination(
    draw: Random, clinical: str, calcified: list[str], coarse: bool, on: date
) -> dict[str, Any]:
    """``calcified`` are the leg's calcified zones, none when it is not."""
    number = int(clinical[1])
    stiff = draw.random() < 0.02
    abpi = 1.42 if stiff else round(min(1.29, max(0.5, draw.gauss(1.07, 0.1))), 2)
    segments = draw.sample(("GSVa", "GSVb", "SSV", "POPV"), draw.randint(1, 2))
    return {
        "pulses": "weak" if abpi < 0.9 else "normal",
        "arterial_waveform": "biphasic" if abpi < 0.9 else "triphasic",
        "abpi": abpi,
        "abpi_comparator": "=",
        "incompressible": stiff,
        "oedema": min(4, max(0, round(draw.gauss(number / 2, 0.7)))) if number >= 3 else 0,
        "ankle_circumference_mm": round(min(440, max(170, draw.gauss(225 + 8 * number, 20)))),
        "pigmentation": number >= 4,
        "eczema": number >= 4 and draw.random() < 0.3,
        "lipodermatosclerosis": clinical == "C4b" or (number >= 5 and draw.random() < 0.6),
        "atrophie_blanche": number >= 5 and draw.random() < 0.3,
        "corona_phlebectatica": number >= 4 and draw.random() < 0.4,
        "lymphoedema_signs": number >= 3 and draw.random() < 0.1,
        "skin_necrosis": False,
        "livedo_or_purpura": False,
        "palpable_hard_plaque": coarse and draw.random() < 0.5,
        "extruding_material": False,
        "duplex_done": True,
        "duplex_on": on,
        "reflux_segments": segments if number >= 2 else ["none"],
        "obstruction_segments": ["none"],
        "incompetent_perforators": number >= 4 and draw.random() < 0.5,
        "vein_wall_calcification": draw.random() < 0.04,
        "echogenic_zones": calcified or ["none"],
    }


def villalta(draw: Random, clinical: str, open_ulcer: bool) -> dict[str, Any]:
    mean = int(clinical[1]) / 5
    scores = {name: max(0, min(3, round(draw.gauss(mean, 0.7)))) for name in (*SYMPTOMS, *SIGNS)}
    return scores | {"grade": grade(sum(scores.values()), open_venous_ulcer=open_ulcer)}


def log_review(new: set[str], baseline: bool) -> dict[str, Any]:
    """``new`` are the logs with rows entered since the last review."""
    logs = ["treatment", "event"]
    logs += ["local_damage", "venous_treatment", "past_ulcer"] if baseline else []
    return {log: "entries_made" if log in new else "nothing_new" for log in logs}


def calcinosis(draw: Random, proposed: str | None) -> dict[str, Any]:
    """What the investigator says of the registry's proposal.

    Of a leg that nobody could look at nothing is proposed. Now and then he does not believe in an
    idiopathic calcinosis.
    """
    if proposed is None:
        return {"absent": {"proposal_confirmed": "not_assessable"}}
    if proposed != "idiopathic" or draw.random() < 0.8:
        return {"proposed": proposed, "proposal_confirmed": True}
    return {
        "proposed": proposed,
        "proposal_confirmed": False,
        "overridden_to": "dystrophic",
        "basis": "clinical",
        "override_reason": "Long-standing oedema of this leg",
    }


def reported_outcomes(draw: Random, worst: int) -> dict[str, Any]:
    """``worst`` is the class of the worse leg, 0 to 6."""
    digits = [max(1, min(5, round(draw.gauss(1 + worst / 4, 0.7)))) for _ in range(5)]
    quality = min(100.0, max(0.0, draw.gauss(90 - 7 * worst, 10)))
    return {
        "pain_nrs": max(0, min(10, round(draw.gauss(worst, 1.5)))),
        "eq5d_profile": "".join(map(str, digits)),
        "eq5d_version": "5L",
        "eq5d_vas": round(quality),
        "veines_qol": round(quality, 1),
        "veines_sym": round(min(100.0, quality + 3), 1),
    }


def ending(about: Background, lost_on: date | None, today: date) -> Iterator[Row]:
    """Death, or loss after three attempts: what is told when nobody comes any more."""
    if about.died_on:
        alive = about.died_on - timedelta(days=1)
        death = {"kind": "death", "occurred_on": about.died_on, "cause_of_death": "cardiovascular"}
        yield Row("event", about.died_on, death)
        ended = {"ended_on": about.died_on, "reason": "died", "last_known_alive_on": alive}
        yield Row("end", about.died_on, ended)
    elif lost_on and lost_on + timedelta(days=300) < today:
        for number in range(3):
            on = lost_on + timedelta(days=150 + 30 * number)
            tried = {"attempted_on": on, "means": "phone", "outcome": "not_reached"}
            yield Row("contact", on, tried)
        on = lost_on + timedelta(days=240)
        ended = {"ended_on": on, "reason": "lost_to_follow_up", "last_known_alive_on": lost_on}
        yield Row("end", on, ended)
