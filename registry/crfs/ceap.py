"""CEAP: clinical class, etiology, anatomy and pathophysiology of one leg, version 2020."""

from django.db.models import Case, SmallIntegerField, Value, When

from registry.core.dictionary import Kind, choice, derived, multi, yes_no
from registry.visits.crf import LimbCrf, crf

CLASSES = [
    ("C0", "C0 no visible sign"),
    ("C1", "C1 telangiectasia or reticular veins"),
    ("C2", "C2 varicose veins"),
    ("C2r", "C2r recurrent varicose veins"),
    ("C3", "C3 oedema"),
    ("C4", "C4 skin changes (1994)"),
    ("C4a", "C4a pigmentation or eczema"),
    ("C4b", "C4b lipodermatosclerosis or atrophie blanche"),
    ("C4c", "C4c corona phlebectatica"),
    ("C5", "C5 healed ulcer"),
    ("C6", "C6 open ulcer"),
    ("C6r", "C6r recurrent open ulcer"),
]
CLASSES_OF_VERSION = {
    "2020": {"C0", "C1", "C2", "C2r", "C3", "C4a", "C4b", "C4c", "C5", "C6", "C6r"},
    "2004": {"C0", "C1", "C2", "C3", "C4a", "C4b", "C5", "C6"},
    "1994": {"C0", "C1", "C2", "C3", "C4", "C5", "C6"},
}
SUPERFICIAL = ("Tel", "Ret", "GSV", "GSVa", "GSVb", "SSV", "AASV", "NSV")
DEEP = ("IVC", "CIV", "IIV", "EIV", "PELV", "CFV", "DFV", "FV", "POPV", "TIBV", "PRV", "ATV")
DEEP += ("PTV", "MUSV", "GAV", "SOV")
PERFORATING = ("TPV", "CPV")
SYSTEM_OF = dict.fromkeys(SUPERFICIAL, "As") | dict.fromkeys(DEEP, "Ad")
SYSTEM_OF |= dict.fromkeys(PERFORATING, "Ap")


@crf("CEAP")
class Ceap(LimbCrf):
    ceap_version = choice(
        "CEAP version", ["2020", "2004", "1994"], required=True, section="clinical"
    )
    clinical = choice("Clinical class", CLASSES, required=True, section="clinical")
    symptomatic = yes_no("Symptomatic", required=True, section="clinical")
    etiology = multi(
        "Etiology",
        [
            ("Ep", "Ep primary"),
            ("Esi", "Esi secondary, intravenous"),
            ("Ese", "Ese secondary, extravenous"),
            ("Ec", "Ec congenital"),
            ("En", "En none found"),
        ],
        alone="En",
        required=True,
        section="advanced",
    )
    anatomy = multi(
        "Anatomy",
        [
            ("As", "As superficial"),
            ("Ad", "Ad deep"),
            ("Ap", "Ap perforating"),
            ("An", "An none found"),
            *((segment, segment) for segment in (*SUPERFICIAL, *DEEP, *PERFORATING)),
        ],
        alone="An",
        required=True,
        section="advanced",
    )
    pathophysiology = choice(
        "Pathophysiology",
        [
            ("Pr", "Pr reflux"),
            ("Po", "Po obstruction"),
            ("Pro", "Pr,o reflux and obstruction"),
            ("Pn", "Pn none found"),
        ],
        required=True,
        section="advanced",
    )
    investigation_level = choice(
        "Level of investigation",
        [
            ("LI", "LI clinic or hand-held Doppler"),
            ("LII", "LII duplex or plethysmography"),
            ("LIII", "LIII invasive, CT or MR venography"),
        ],
        required=True,
        section="advanced",
    )
    # C2r→2, C4a/b/c→4, C6r→6 (CEAP 2020 revision; forms.md).
    clinical_1994 = derived(
        "Clinical class, 1994 scale",
        Case(*(When(clinical__startswith=f"C{number}", then=Value(number)) for number in range(7))),
        SmallIntegerField(null=True),
        kind=Kind.SCORE,
        possible=(0, 6),
    )
