"""A synthetic cohort whose truth is known: pure, and the same for the same seed and day.

The truth (:class:`Truth`) states what an analysis of the captured data should find again:
calcification is more frequent and coarser with disease duration and class, and an ulcer heals
more slowly on a calcified leg. Each person is drawn from a generator of their own, so the n-th
person does not depend on how many are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

from registry.crfs.rules import ceap as ceap_rules
from registry.crfs.rules.calcinosis import (
    CONNECTIVE_TISSUE,
    Evidence,
    Measured,
    proposed,
    sample_for,
)
from registry.imaging.zones import ZONES, zones_seen
from registry.ulcers.ulcer import LOCATIONS
from registry.visits.crf import FORMS, VisitCrf
from registry.visits.rules import window
from registry.visits.schedule import CURRENT, Asked, PlannedVisit

from . import background
from .background import Background, draw_background

LIMBS = ("right", "left")
CONFIRM_AFTER = timedelta(days=14)
NOT_YET_ENTERED = 0.01  # of the forms of an attended visit
NO_CORONA: dict[str, bool | None] = {}  # no leg is drawn as C4c, so its other skin decides nothing
SEGMENTS = ("GSVa", "GSVb", "SSV", "POPV", "FV", "TPV", "CPV")
FAMILY = "Sato Silva Smith Kim Souza Mori Brown Costa Ito Lima Jones Abe Rossi Wong Shah".split()
GIVEN = "Aiko Bruno Carla Daichi Elena Felipe Grace Haru Irene João Kaori Luís Mina Noah".split()


@dataclass(frozen=True)
class Truth:
    """What the cohort is made to hold. Odds are log-odds, hazards are per day."""

    calcified_base: float = -3.3
    calcified_per_year: float = 0.07  # of disease duration
    calcified_per_class: float = 0.55  # of the 1994 class above C2
    new_calcification_per_year: float = 0.05
    coarse_base: float = -1.8
    coarse_per_year: float = 0.09
    control_calcified: float = 0.2
    healing_hazard: float = 1 / 130
    healing_ratio_if_calcified: float = 0.45
    recurrence_hazard: float = 1 / 900


TRUTH = Truth()


@dataclass
class Form:
    """A completed form: code, leg, occurrence, values, absence codes."""

    code: str
    limb: str = ""
    occurrence: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


@dataclass
class Visit:
    """A planned visit, and what came of it."""

    planned: PlannedVisit
    attended_on: date | None = None
    missed_because: str = ""
    forms: list[Form] = field(default_factory=list)
    readings: dict[str, dict[str, Any]] = field(default_factory=dict)  # limb → values


@dataclass
class Ulcer:
    """The true course of one ulcer."""

    limb: str
    label: str
    onset: date
    healed: date | None
    length: float
    location: str
    recorded_on: date | None = None
    seen_closed_on: date | None = None
    confirmed: bool = False


@dataclass
class Leg:
    """The true state of one leg."""

    limb: str
    clinical: str
    calcified_from: date | None
    coarse_from: date | None
    zones: list[str]
    ulcers: list[Ulcer] = field(default_factory=list)


@dataclass
class Person:
    """One participant with all that was captured until the cohort's day."""

    arm: str
    sex: str
    family_name: str
    given_name: str
    birth_date: date
    enrolled_on: date
    onset_year: int | None
    recruited_in: list[str]
    legs: list[Leg]
    visits: list[Visit]
    withdrawn: tuple[date, str] | None
    about: Background
    logs: list[Form] = field(default_factory=list)  # rows of logs, numbered within each

    def told(self, code: str, limb: str = "") -> Iterator[dict[str, Any]]:
        """The values of every form of a kind captured so far, in the order of the visits."""
        for visit in self.visits:
            for form in visit.forms:
                if form.code == code and form.limb == limb:
                    yield form.values

    def rows(self, log: str, limb: str = "") -> list[dict[str, Any]]:
        """The values of a log's rows so far; of a leg's, if one is named."""
        return [
            row.values
            for row in self.logs
            if row.code == log and (not limb or row.values.get("limb") == limb)
        ]


def people(seed: int, count: int, years: float, today: date) -> Iterator[Person]:
    """Draw ``count`` persons enrolled during the ``years`` before ``today``."""
    for number in range(count):
        # What is beside the legs is drawn apart, so that it changes nothing in their truth.
        yield _person(Random(f"{seed}/{number}"), Random(f"{seed}/{number}/beside"), years, today)


def _person(draw: Random, beside: Random, years: float, today: date) -> Person:
    arm = draw.choices(("cvi", "control", "other_calcinosis"), (0.70, 0.27, 0.03))[0]
    enrolled_on = today - timedelta(days=int(draw.uniform(0, years * 365)))
    age = min(92.0, max(25.0, draw.gauss(67, 11)))
    duration = min(age - 18, draw.lognormvariate(math.log(7), 0.9)) if arm == "cvi" else 0.0
    legs = [_leg(draw, limb, arm, duration, enrolled_on, today) for limb in LIMBS]
    classes = {leg.limb: int(leg.clinical[1]) for leg in legs}
    person = Person(
        arm=arm,
        sex=draw.choices(("female", "male"), (0.58, 0.42))[0],
        family_name=draw.choice(FAMILY),
        given_name=draw.choice(GIVEN),
        birth_date=enrolled_on - timedelta(days=int(age * 365.25)),
        enrolled_on=enrolled_on,
        onset_year=enrolled_on.year - int(duration) if arm == "cvi" else None,
        recruited_in=[draw.choice(("dermatology", "vascular_surgery", "wound_clinic"))],
        legs=legs,
        visits=[],
        withdrawn=None,
        about=draw_background(beside, arm, age, classes, enrolled_on, today),
    )
    if draw.random() < 0.03 and enrolled_on < today - timedelta(days=60):
        day = enrolled_on + timedelta(days=draw.randint(30, (today - enrolled_on).days))
        scope = draw.choice(("stop_contact", "stop_collection", "stop_sharing"))
        person.withdrawn = (day, scope)
    _attend(draw, beside, person, today)
    return person


def _leg(draw: Random, limb: str, arm: str, duration: float, enrolled_on: date, today: date) -> Leg:
    severity = draw.gauss(0.55 * math.log1p(duration), 0.9) if arm == "cvi" else -2.0
    steps = ((0.2, "C0"), (0.6, "C2"), (1.0, "C3"), (1.7, "C4a"), (2.2, "C4b"), (2.6, "C5"))
    clinical = next((name for limit, name in steps if severity < limit), "C6")
    number = int(clinical[1])
    odds = TRUTH.calcified_base + TRUTH.calcified_per_year * duration
    odds += TRUTH.calcified_per_class * max(0, number - 2)
    chance = 1 / (1 + math.exp(-odds)) if arm == "cvi" else TRUTH.control_calcified / 2
    if arm == "other_calcinosis":
        chance = 0.9
    since: date | None = None
    if draw.random() < chance:
        since = enrolled_on - timedelta(days=1)
    elif arm == "cvi" and number >= 4:
        wait = draw.expovariate(TRUTH.new_calcification_per_year)
        since = enrolled_on + timedelta(days=int(min(wait, 60) * 365))
    coarse: date | None = None
    if since and arm != "control":
        at_onset = 1 / (1 + math.exp(-(TRUTH.coarse_base + TRUTH.coarse_per_year * duration)))
        coarse = since if draw.random() < at_onset else since + timedelta(days=3650)
    zones = draw.sample([zone for zone in ZONES if "proximal" not in zone], draw.randint(1, 5))
    leg = Leg(limb, clinical, since, coarse, zones)
    if clinical == "C6":
        _ulcers(draw, leg, enrolled_on, today)
    return leg


def _ulcers(draw: Random, leg: Leg, enrolled_on: date, today: date) -> None:
    """An ulcer open at enrolment, and its recurrences until today."""
    onset = enrolled_on - timedelta(days=draw.randint(20, 900))
    start = enrolled_on
    while onset <= today:
        hazard = TRUTH.healing_hazard
        if leg.calcified_from and leg.calcified_from <= start:
            hazard *= TRUTH.healing_ratio_if_calcified
        healed = start + timedelta(days=1 + int(draw.expovariate(hazard)))
        leg.ulcers.append(
            Ulcer(
                limb=leg.limb,
                label="",
                onset=onset,
                healed=healed if healed <= today else None,
                length=draw.uniform(8, 70),
                location=draw.choice([LOCATIONS[0][0], LOCATIONS[1][0], "distal_medial"]),
            )
        )
        if healed > today:
            return
        onset = start = healed + timedelta(days=1 + int(draw.expovariate(TRUTH.recurrence_hazard)))


def _attend(draw: Random, beside: Random, person: Person, today: date) -> None:
    """Which visits were attended, and what was recorded at each."""
    lost_on = person.enrolled_on + timedelta(days=int(draw.expovariate(0.08) * 365))
    died_on = person.about.died_on or date.max
    for planned in CURRENT.for_arm(person.arm):
        visit = Visit(planned)
        person.visits.append(visit)
        days = window(planned, person.enrolled_on)
        if days.opens_on > today:
            continue
        spread = (days.closes_on - days.opens_on).days
        on = days.opens_on + timedelta(days=int(draw.triangular(0, spread, spread / 2)))
        stopped = person.withdrawn and person.withdrawn[0] <= on
        here = on <= today and on < min(lost_on, died_on)
        if planned.code == "BL" or (here and draw.random() < 0.92):
            if not stopped:
                visit.attended_on = min(on, today)
                _record(draw, beside, person, visit)
        elif days.closes_on < today - timedelta(days=60) and not stopped:
            ended = died_on < days.closes_on
            visit.missed_because = "Died" if ended else "Did not come and could not be reached"
    if person.withdrawn is None:
        last = max(visit.attended_on for visit in person.visits if visit.attended_on)
        for row in background.ending(person.about, max(lost_on, last), today):
            _add_row(person, row.log, row.known_on, row.values)


def _add_row(person: Person, log: str, on: date, values: dict[str, Any]) -> None:
    number = len(person.rows(log)) + 1
    common = {"done_on": on, "examiner": "Simulation"}
    person.logs.append(Form(log, "", str(number), values=common | values))


def _record(draw: Random, beside: Random, person: Person, visit: Visit) -> None:
    on = visit.attended_on
    assert on is not None
    if visit.planned.code == "BL":
        for leg in person.legs:
            if _class_on(leg, on) == "C5":
                onset = person.enrolled_on.year - beside.randint(2, 15)
                told = {"onset_on": str(onset), "reported_closed_on": str(onset + 1)}
                past = {"limb": leg.limb, "source": "participant", **told}
                _add_row(person, "past_ulcer", on, past)
    for log, values in background.rows_told(person.about, on):
        _add_row(person, log, on, values)
    for asked in CURRENT.forms(visit.planned.code, person.arm):
        common = {"done_on": on, "examiner": "Simulation"}
        if asked.form != "ulcers" and draw.random() < NOT_YET_ENTERED:
            continue
        if asked.form == "laboratory":
            visit.forms.append(_laboratory(draw, common, on))
            continue
        if issubclass(FORMS[asked.form].model, VisitCrf):
            values = _of_visit(beside, person, asked, on)
            visit.forms.append(Form(asked.form, values=common | values))
            continue
        for leg in person.legs:
            if asked.form == "ulcers":
                visit.forms += _assessments(draw, leg, common, on)
            elif asked.form == "xray":
                values = {
                    "performed": True,
                    "purpose": "study",
                    "pregnancy_excluded": True,
                    "acquired_on": on,
                    "views": ["ap", "lateral"],
                    "thirds_covered": ["proximal", "middle", "distal"],
                    "modality": "cr",
                }
                visit.forms.append(Form("xray", leg.limb, values=common | values))
                if draw.random() < 0.97:
                    visit.readings[leg.limb] = _reading(draw, leg, on)
            elif asked.form in BESIDE:
                values = BESIDE[asked.form](beside, person, leg, on)
                absent = values.pop("absent", {})
                if values or absent:
                    form = Form(asked.form, leg.limb, values=common | values, absent=absent)
                    visit.forms.append(form)
            else:
                values = _of_leg(draw, asked.form, asked.sections, leg, on)
                visit.forms.append(Form(asked.form, leg.limb, values=common | values))


def _of_visit(draw: Random, person: Person, asked: Asked, on: date) -> dict[str, Any]:
    match asked.form:
        case "history":
            return background.history(person.about)
        case "body":
            return background.body(draw, person.about, any(person.told("history")))
        case "log_review":
            since = person.about.told_until or date.min
            new = {row.code for row in person.logs if since < row.values["done_on"] <= on}
            person.about.told_until = on
            return background.log_review(new, baseline=not asked.sections)
        case _:
            worst = max(int(_class_on(leg, on)[1]) for leg in person.legs)
            return background.reported_outcomes(draw, worst)


def _leg_history(draw: Random, person: Person, leg: Leg, on: date) -> dict[str, Any]:
    previous_ulcer = bool(person.rows("past_ulcer", leg.limb))
    return background.leg_history(person.about, leg.limb, previous_ulcer)


def _examination(draw: Random, person: Person, leg: Leg, on: date) -> dict[str, Any]:
    calcified = leg.calcified_from is not None and leg.calcified_from <= on
    coarse = leg.coarse_from is not None and leg.coarse_from <= on
    zones = [zone.removeprefix("zone_") for zone in leg.zones] if calcified else []
    return background.examination(draw, _class_on(leg, on), zones, coarse, on)


def _villalta(draw: Random, person: Person, leg: Leg, on: date) -> dict[str, Any]:
    """Nothing for a leg of which no thrombosis is told."""
    history = any(form["previous_dvt"] for form in person.told("leg_history", leg.limb))
    events = any(row["kind"] == "dvt" for row in person.rows("event", leg.limb))
    if not (history or events):
        return {}
    return background.villalta(draw, _class_on(leg, on), bool(_open_ulcers(leg, on)))


def _calcinosis(draw: Random, person: Person, leg: Leg, on: date) -> dict[str, Any]:
    """By what was captured so far, as the investigator sees it."""
    seen: list[tuple[date, bool]] = []
    for visit in person.visits:
        if visit.attended_on and leg.limb in visit.readings:
            calcification = visit.readings[leg.limb]["calcification"]
            if calcification != "not_assessable":
                seen.append((visit.attended_on, calcification == "present"))
    looked = list(seen)
    for look in person.told("ulcers", leg.limb):
        if look["extruded_calcium"]:
            looked.append((look["assessed_on"], True))
    shown = [day for day, present in seen if present] or [day for day, calc in looked if calc]
    samples = [SimpleNamespace(**told) for told in person.told("laboratory")]
    sample = sample_for(max(shown, default=on), samples)
    classes = [form["clinical"] for form in person.told("ceap", leg.limb)]
    histories = list(person.told("history"))
    evidence = Evidence(
        calcified=bool(shown) if looked else None,
        calcium=_calcium(sample),
        phosphate=_measured(sample.phosphate, background.PHOSPHATE_HIGH) if sample else None,
        dialysis=any(one["dialysis"] for one in histories),
        local_damage=bool(person.rows("local_damage", leg.limb)),
        connective_tissue=any(one[name] for one in histories for name in CONNECTIVE_TISSUE),
        advanced_cvi=bool(classes) and ceap_rules.advanced(classes[-1], NO_CORONA),
    )
    return background.calcinosis(draw, proposed(evidence))


def _calcium(sample: Any) -> Measured | None:
    """Corrected for albumin, as the laboratory's form derives it."""
    if sample is None:
        return None
    corrected = sample.calcium_total + 0.02 * (40 - sample.albumin)
    return _measured(corrected, background.CALCIUM_HIGH)


def _measured(value: float, high: float) -> Measured:
    return Measured(Decimal(str(round(value, 3))), ref_high=Decimal(str(high)))


# Forms of a leg that are drawn beside its truth.
BESIDE: dict[str, Callable[[Random, Person, Leg, date], dict[str, Any]]] = {
    "leg_history": _leg_history,
    "examination": _examination,
    "villalta": _villalta,
    "calcinosis": _calcinosis,
}


def _open_ulcers(leg: Leg, on: date) -> list[Ulcer]:
    return [u for u in leg.ulcers if u.onset <= on and (u.healed is None or u.healed > on)]


def _class_on(leg: Leg, on: date) -> str:
    if leg.ulcers and leg.ulcers[0].onset <= on:
        if opened := _open_ulcers(leg, on):
            return "C6" if opened[0] is leg.ulcers[0] else "C6r"
        return "C5"
    return leg.clinical


def _of_leg(
    draw: Random, form: str, sections: tuple[str, ...], leg: Leg, on: date
) -> dict[str, Any]:
    opened = _open_ulcers(leg, on)
    if form == "leg_check":
        return {"leg_status": "present", "any_open_ulcer": bool(opened)}
    clinical = _class_on(leg, on)
    number = int(clinical[1])
    if form == "ceap":
        values: dict[str, Any] = {
            "ceap_version": "2020",
            "clinical": clinical,
            "symptomatic": number >= 2 and draw.random() < 0.7,
            "c4c_alone": ceap_rules.c4c_alone(clinical, NO_CORONA),
        }
        if sections:
            return values
        segments = draw.sample(SEGMENTS, draw.randint(1, 3)) if number >= 2 else []
        systems = [
            system
            for system, members in (
                ("As", {"GSVa", "GSVb", "SSV"}),
                ("Ad", {"POPV", "FV"}),
                ("Ap", {"TPV", "CPV"}),
            )
            if members & set(segments)
        ]
        return values | {
            "etiology": ["Ep"] if number >= 2 else ["En"],
            "anatomy": [*systems, *segments] or ["An"],
            "pathophysiology": draw.choice(("Pr", "Pr", "Pro")) if number >= 2 else "Pn",
            "investigation_level": "LII",
        }
    ulcer = opened[0] if opened else None
    age = (on - ulcer.onset).days if ulcer else 0
    size = ulcer.length if ulcer else 0

    def about(mean: float) -> int:
        return max(0, min(3, round(draw.gauss(mean, 0.6))))

    return {
        "pain": about(number / 3),
        "varicose_veins": about(1.5 if number >= 2 else 0.1),
        "oedema": about(number / 3),
        "pigmentation": about(max(0, number - 3)),
        "inflammation": about(max(0, number - 3.5)),
        "induration": about(max(0, number - 3.5)),
        "active_ulcers": min(3, len(opened)),
        "ulcer_duration": 0 if not ulcer else 1 if age < 91 else 2 if age <= 365 else 3,
        "ulcer_size": 0 if not ulcer else 1 if size < 20 else 2 if size <= 60 else 3,
        "compression": draw.randint(0, 3),
    }


def _assessments(draw: Random, leg: Leg, common: dict[str, Any], on: date) -> list[Form]:
    """One form for each ulcer begun and not yet confirmed healed at an earlier visit."""
    forms = []
    for ulcer in leg.ulcers:
        if ulcer.onset > on or ulcer.confirmed:
            continue
        closed = ulcer.healed is not None and ulcer.healed <= on
        if ulcer.recorded_on is None:
            if closed:
                continue  # opened and healed between two visits: nobody saw it
            number = sum(1 for one in leg.ulcers if one.recorded_on) + 1
            ulcer.recorded_on, ulcer.label = on, f"{leg.limb[0].upper()}{number}"
        values = {"assessed_on": on, "extruded_calcium": False}
        if closed:
            values |= {"ulcer_status": "closed", "closure_by": "secondary_intention"}
            ulcer.seen_closed_on = ulcer.seen_closed_on or on
            ulcer.confirmed = on - ulcer.seen_closed_on >= CONFIRM_AFTER
        else:
            days = max(0, (on - ulcer.recorded_on).days)
            span = ((ulcer.healed or on + timedelta(days=400)) - ulcer.recorded_on).days or 1
            length = max(2, round(ulcer.length * (1 - 0.8 * min(1.0, days / span))))
            values |= {
                "ulcer_status": "open",
                "length_mm": length,
                "width_mm": max(1, round(length * 0.7)),
                "area_method": "ruler_ellipse",
                "depth": "full_thickness" if ulcer.length > 35 else "superficial",
                "exudate": draw.choice(("light", "moderate")),
                "exudate_type": "serous",
                "infection": draw.random() < 0.1,
                "slough_percent": draw.randint(0, 6) * 10,
                "extruded_calcium": bool(leg.coarse_from and leg.coarse_from <= on)
                and draw.random() < 0.3,
            }
        values |= {"pain_nrs": draw.randint(0, 6), "calcium_palpable": False}
        forms.append(Form("ulcers", leg.limb, ulcer.label, values=common | values))
    return forms


def _laboratory(draw: Random, common: dict[str, Any], on: date) -> Form:
    form = Form("laboratory", values=common | {"sampled_on": on})
    for name, unit, mean, spread, places, limits in (
        ("calcium_total", "mmol/L", 2.35, 0.08, 3, (2.15, background.CALCIUM_HIGH)),
        ("albumin", "g/L", 41, 3, 2, (35, 52)),
        ("phosphate", "mmol/L", 1.1, 0.15, 3, (0.8, background.PHOSPHATE_HIGH)),
        ("pth", "pmol/L", 5, 1.5, 3, (1.6, 6.9)),
        ("creatinine", "µmol/L", 85, 20, 1, (45, 110)),
        ("vitamin_d_25oh", "nmol/L", 60, 15, 2, (50, 125)),
    ):
        value = round(max(mean / 3, draw.gauss(mean, spread)), min(places, 2))
        form.values |= {
            name: value,
            f"{name}_typed": str(value),
            f"{name}_unit": unit,
            f"{name}_comparator": "=",
            f"{name}_ref_low": limits[0],
            f"{name}_ref_high": limits[1],
        }
    form.values |= {"crp": 5, "crp_comparator": "<"}
    form.absent = {
        "autoimmune_serology": "not_done",
        "bacterial_culture": "not_done",
        "fungal_culture": "not_done",
    }
    return form


def _reading(draw: Random, leg: Leg, on: date) -> dict[str, Any]:
    """What a careful reader sees: now and then a film is limited, hardly ever a miss."""
    calcified = leg.calcified_from is not None and leg.calcified_from <= on
    seen = zones_seen(["ap", "lateral"], ["proximal", "middle", "distal"])
    present = {zone for zone in leg.zones if zone in seen} if calcified else set()
    values: dict[str, Any] = dict.fromkeys(ZONES, "absent")
    values |= dict.fromkeys(present, "present")
    values |= {
        "mode": "independent",
        "quality": "good" if draw.random() < 0.9 else "limited",
        "calcification": "present" if present else "absent",
        "phlebolith": draw.random() < 0.1,
        "arterial_calcification": draw.random() < 0.15,
        "periosteal_reaction": False,
        "ossification_suspected": False,
        "foreign_body": False,
        "dressing_artefact": False,
    }
    if present:
        coarse = leg.coarse_from is not None and leg.coarse_from <= on
        values["pattern"] = draw.choice(("trabecular", "reticular")) if coarse else "punctate"
        values["largest_mm"] = round(draw.uniform(3, 30) if coarse else draw.uniform(0.5, 3), 1)
    return values
