"""How a column came about that does not hold what was entered: one sentence each, in English.

A test asks for one of every key, and of every value that is derived, coarsened or worked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from registry.core.codebook import Entry
from registry.core.dictionary import Kind

from ..profiles import As, Column, Merged, Profile

KEYS: Final[Mapping[str, str]] = {
    "participant": "A random name, drawn for this project and the same in its later datasets.",
    "visit": "The visit's code in the plan: BL, M03, M06, M12 and so on; UC, HC and UNS for ulcer"
    " checks, healing confirmations and unscheduled visits, with their number.",
    "limb": "The participant's own right or left leg.",
    "ulcer": "The ulcer's label, given by the registry: the leg's letter and a number.",
    "occurrence": "The number of the row within its log; of an assessment the ulcer's label.",
    "reading": "The readings of a film, numbered from 1 in the order in which they came.",
    "form": "The form whose item was coded: the column form of the codebook.",
    "item": "The item that was coded: the column item of the codebook.",
}

_KEPT = "missing for who would be told apart, as disclosure.json says"
_BODY_MASS = "Weight in kg by the square of the height in m"
_STAND_IN = "A random number, drawn for this project and the same in its later datasets"
_OF_SITE = "Missing where the participant's site is, or is 0: it would tell the site."
_TYPE = "The registry's proposal where the investigator confirmed it, his own type where not"
_PROPOSED = (
    "Proposed by the rule of the registry's protocol from films, other imaging, biopsies, the"
    " laboratory within 90 days of the film, history and treatment"
)
_SYSTEMIC = "metastatic and calciphylaxis leave as one, systemic_type."
_FIRST = (
    "Whichever came first. Healed is the first closed assessment that another one, 14 days later"
    " or more and with none open between, confirmed"
)
_AMPUTATED = "Amputated is a leg lost below or above the knee"

EVERYWHERE: Final[Mapping[str, str]] = {
    "examiner": f"{_STAND_IN}. One name typed at two sites is two examiners. {_OF_SITE}",
    "reader": f"{_STAND_IN}. {_OF_SITE}",
    "participant_sex": f"As entered; {_KEPT}.",
    "participant_disease_duration_years": "From the onset (its month's or, where that is not known,"
    " its year's middle) to enrolment, rounded to whole years; not under 0.",
    "ceap_clinical_1994": "C2r is 2; C4, C4a, C4b and C4c are 4; C6r is 6 (CEAP, revision of 2020,"
    " on the classes of 1994).",
    "ceap_c4c_alone": "Yes for class C4c where the visit's examination of the leg found no other"
    " change of the skin.",
    "laboratory_calcium_corrected": "Total calcium + 0.02 × (40 − albumin), in mmol/L and g/L;"
    " missing unless both were measured exactly (comparator =).",
    "ulcers_area_mm2": "As measured by planimetry or photo; otherwise π/4 × length × width.",
    "reading_extent": "0 for none, 1 for one zone with calcification, 2 for two or three, 3 for"
    " four or more, of the zones seen. Defined by the registry.",
    "vcss_total": "The sum of the ten scores (VCSS, revision of 2010).",
    "vcss_total_without_compression": "The sum of the nine scores other than compression (VCSS,"
    " revision of 2010).",
    "villalta_total": "The sum of the eleven scores (Villalta).",
    "villalta_grade": "Of the total: under 5 none, 5 to 9 mild, 10 to 14 moderate, 15 or more"
    " severe; severe too with an open venous ulcer.",
}

BY_PROFILE: Final[Mapping[str, Mapping[str, str]]] = {
    "safe_harbor": {
        "participant_age_at_enrolment": "Completed years, in bands of ten, or of twenty where"
        f" disclosure.json says so; {_KEPT}.",
        "participant_enrolled_on": f"The calendar year; {_KEPT}, or for all.",
        "history_bmi_class": f"{_BODY_MASS}, in the classes of the WHO.",
        "body_bmi_class": f"{_BODY_MASS} at the history, in the classes of the WHO.",
        "history_rare_systemic_condition": "Yes where one of these is: systemic sclerosis, lupus,"
        " dermatomyositis, panniculitis, sarcoidosis, kidney transplant, dialysis, bone disease."
        " No where none is.",
        "event_kind": "As entered; amputations, pulmonary embolism and death leave as one,"
        " major_event.",
        "event_limb": "As entered; missing for every major event.",
        "event_related_to_ulcer": "As entered; missing for every major event.",
        "end_reason": "As entered; every reason but completed leaves as not_completed.",
        "treatment_kind": "As entered; dialysis leaves as other.",
        "calcinosis_proposed": f"{_PROPOSED}; {_SYSTEMIC}",
        "calcinosis_overridden_to": f"As entered; {_SYSTEMIC}",
        "calcinosis_calcinosis_type": f"{_TYPE}; {_SYSTEMIC}",
        "ulcer_ulcer_outcome": f"{_FIRST}, unless the leg was amputated or the participant"
        " died before; not healed is all else.",
    },
    "limited": {
        "participant_site": f"{_STAND_IN}; 0 stands for all small sites together where"
        f" disclosure.json says so; {_KEPT}, or for all.",
        "participant_age_at_enrolment": "Completed years; 90 stands for 90 or more. Where"
        " disclosure.json says that ages are in bands of 5, 10 or 20 years, the lower end of the"
        f" band, of those of 20 with 80 for 80 or more. {_KEPT.capitalize()}.",
        "participant_enrolled_on": "The calendar half-year, such as 2024-H1, or the year where"
        f" disclosure.json says so; {_KEPT}, or for all.",
        "participant_age_at_first_ulcer": "Age at enrolment less the calendar years since the"
        " earliest onset of any ulcer, recorded or past, in bands of ten. Missing where the age is"
        " shown in bands, which it would narrow, or as 90.",
        "history_height_cm": "To the nearest 5.",
        "history_weight_kg": "To the nearest 5.",
        "body_weight_kg": "To the nearest 5.",
        "history_bmi": f"{_BODY_MASS}, as measured.",
        "body_bmi": f"{_BODY_MASS} at the history, as measured.",
        "calcinosis_proposed": f"{_PROPOSED}.",
        "calcinosis_calcinosis_type": f"{_TYPE}.",
        "ulcer_ulcer_outcome": f"{_FIRST}. {_AMPUTATED}. Censored is none of these by the cut-off.",
    },
}

DATES: Final[Mapping[Kind, str]] = {
    Kind.DATE: "Days from enrolment, which is day 0.",
    Kind.PARTIAL_DATE: "Days from enrolment, which is day 0. Known to the month: months from that"
    " of enrolment × 30; to the year: years × 365.",
    Kind.YEAR: "The calendar year of enrolment less the year entered.",
}
PRECISION = "How much of the date is known."
MULTI = "One of several answers: 1 where it was marked, 0 where only others were."


def how_made(profile: Profile, column: Column, entry: Entry | None, *, key: bool) -> str:
    """How a column was made, '' where it holds what was entered. ``entry`` is its item's."""
    if key:
        return KEYS[column.name]
    for name in (column.name, column.item):
        for texts in (BY_PROFILE[profile.code], EVERYWHERE):
            if name in texts:
                return texts[name]
    if entry and entry.kind in DATES:
        return DATES[entry.kind] if column.kind == Kind.NUMBER else PRECISION
    return MULTI if entry and entry.kind == Kind.MULTI else ""


def coarsened(profile: Profile, entry: Entry) -> bool:
    """Whether the profile lets an item leave only as something else."""
    try:
        return isinstance(profile.rule(entry), As | Merged)
    except KeyError:
        return False
