"""CEAP: what its letters mean, and what its class says about the leg's other records.

Sources: CEAP 2020 (``domain.md`` B1); the cross-checks of ``forms.md``, ceap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from registry.core.findings import Finding, Level

# CEAP 2020: a vein segment belongs to one system, and naming it names the system (domain.md B1).
SUPERFICIAL = ("Tel", "Ret", "GSV", "GSVa", "GSVb", "SSV", "AASV", "NSV")
DEEP = tuple("IVC CIV IIV EIV PELV CFV DFV FV POPV TIBV PRV ATV PTV MUSV GAV SOV".split())
PERFORATING = ("TPV", "CPV")
SYSTEM_OF = dict.fromkeys(SUPERFICIAL, "As") | dict.fromkeys(DEEP, "Ad")
SYSTEM_OF |= dict.fromkeys(PERFORATING, "Ap")

# Plain C4 exists in the classification of 1994 only.
CLASSES_OF_VERSION = {
    "2020": {"C0", "C1", "C2", "C2r", "C3", "C4a", "C4b", "C4c", "C5", "C6", "C6r"},
    "2004": {"C0", "C1", "C2", "C3", "C4a", "C4b", "C5", "C6"},
    "1994": {"C0", "C1", "C2", "C3", "C4", "C5", "C6"},
}


def with_systems(anatomy: Sequence[str]) -> list[str]:
    """``anatomy`` with the system of every segment named, in the order of the paper form."""
    systems = {SYSTEM_OF[code] for code in anatomy if code in SYSTEM_OF}
    named = {*anatomy, *systems}
    order = ("As", "Ad", "Ap", "An", *SYSTEM_OF)
    return [code for code in order if code in named]


def printed_ceap(
    clinical: str | None,
    symptomatic: bool | None,
    etiology: Sequence[str] | None,
    anatomy: Sequence[str] | None,
    pathophysiology: str | None,
    level: str | None,
) -> str:
    """A CEAP as papers print it: ``C4b,s Ep As,d Pr (GSVa) LII``; what is not known is left out.

    Source: CEAP 2020 revision (domain.md B1); several systems share one letter A.
    """
    if not clinical:
        return ""
    suffix = "" if symptomatic is None else ",s" if symptomatic else ",a"
    parts = [clinical + suffix]
    if etiology:
        parts.append("E" + ",".join(code.removeprefix("E") for code in etiology))
    if anatomy:
        letters = [code for code in anatomy if code in ("As", "Ad", "Ap", "An")]
        parts.append("A" + ",".join(code.removeprefix("A") for code in letters))
    if pathophysiology:
        parts.append({"Pro": "Pr,o"}.get(pathophysiology, pathophysiology))
    if anatomy and (segments := [code for code in anatomy if code in SYSTEM_OF]):
        parts.append(f"({', '.join(segments)})")
    if level:
        parts.append(level)
    return " ".join(parts)


# Changes of the skin that make a C4 by every version; corona phlebectatica does since 2020 only.
SKIN_CHANGES = ("pigmentation", "eczema", "lipodermatosclerosis", "atrophie_blanche")
CLASSES = ("C0", "C1", "C2", "C2r", "C3", "C4", "C4a", "C4b", "C4c", "C5", "C6", "C6r")
VENOUS_CAUSES = frozenset({"venous", "mixed"})
VENOUS_TREATMENTS = frozenset({"venous_ablation", "venous_stent", "sclerotherapy"})


def class_1994(clinical: str) -> int:
    """The class on the scale of 1994, 0–6: C2r→2, C4a/b/c→4, C6r→6."""
    return int(clinical[1])


def worst_leg(classes: Mapping[str, str | None]) -> str | None:
    """The limb with the highest class, in the order of CEAP 2020; None without any class.

    Of two legs of the same class the one named first.
    """
    known = {limb: CLASSES.index(clinical) for limb, clinical in classes.items() if clinical}
    return max(known, key=lambda limb: known[limb], default=None)


def c4c_alone(clinical: str | None, skin: Mapping[str, bool | None]) -> bool:
    """Whether corona phlebectatica is the leg's only change of the skin.

    ``skin`` are the changes that the visit's examination found. Before 2020 such a leg could be
    C1 or C2, so its 4 on the scale of 1994 is doubtful, and it makes no calcification dystrophic
    (``domain.md`` B1; ``forms.md``, calcinosis).
    """
    return clinical == "C4c" and not any(skin.get(change) for change in SKIN_CHANGES)


def advanced(clinical: str | None, skin: Mapping[str, bool | None]) -> bool:
    """Whether the class is one of C4 to C6, C4c alone not counting."""
    return bool(clinical) and class_1994(clinical or "") >= 4 and not c4c_alone(clinical, skin)


@dataclass(frozen=True)
class LegRecords:
    """What the records of a leg say on the day of a CEAP.

    ``open_ulcers`` are the labels of its ulcers of venous or mixed cause open that day,
    ``closed_ulcers`` those of ulcers closed then (confirmed or not) or healed before.
    ``previous_class`` is that of the last CEAP before, found at ``previous_place``;
    ``treated_since``: a treatment of the leg may have begun between the two.
    """

    open_ulcers: Sequence[str] = ()
    closed_ulcers: Sequence[str] = ()
    past_ulcer: bool = False
    venous_treatment: bool = False
    previous_class: str | None = None
    previous_place: str = ""
    treated_since: bool = False


def contradictions(clinical: str, leg: LegRecords) -> Iterator[Finding]:
    """The class against the leg's records (``forms.md``, ceap, cross-checks).

    C6 and C6r ⇔ an open ulcer of venous or mixed cause, hence none with C5. C5 and C6r need an
    earlier ulcer, C2r an earlier venous treatment. C4 to C6 fall to C0 to C3 by a treatment only.
    """
    earlier_ulcer = bool(leg.closed_ulcers) or leg.past_ulcer
    ulcers = ", ".join(leg.open_ulcers)

    def finding(rule: str, message: str) -> Finding:
        return Finding(
            Level.INCONSISTENT,
            "clinical",
            message
            % {
                "clinical": clinical,
                "ulcers": ulcers,
                "before": leg.previous_class,
                "place": leg.previous_place,
            },
            rule,
        )

    if clinical in ("C6", "C6r") and not leg.open_ulcers:
        yield finding(
            "c6_needs_an_open_ulcer",
            _("Class %(clinical)s, but no venous ulcer of this leg is recorded open."),
        )
    if clinical not in ("C6", "C6r") and leg.open_ulcers:
        yield finding(
            "open_ulcer_needs_c6",
            _("Class %(clinical)s, but ulcer %(ulcers)s of this leg is recorded open."),
        )
    if clinical == "C5" and not earlier_ulcer:
        yield finding(
            "c5_needs_a_closed_ulcer",
            _("Class C5, but neither a closed ulcer nor a past ulcer of this leg is recorded."),
        )
    if clinical == "C6r" and not earlier_ulcer:
        yield finding(
            "c6r_needs_an_earlier_ulcer",
            _("Class C6r, but no earlier ulcer of this leg is recorded, here or as past ulcer."),
        )
    if clinical == "C2r" and not leg.venous_treatment:
        yield finding(
            "c2r_needs_an_earlier_treatment",
            _(
                "Class C2r, but no earlier venous treatment of this leg is recorded, in the"
                " history or in the treatment log."
            ),
        )
    if (
        leg.previous_class
        and class_1994(leg.previous_class) >= 4
        and class_1994(clinical) <= 3
        and not leg.treated_since
    ):
        yield finding(
            "class_fell_untreated",
            _(
                "Class %(clinical)s after %(before)s (%(place)s), but no treatment of this leg is"
                " recorded in between."
            ),
        )
