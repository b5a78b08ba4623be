"""Pure rules of the paper forms."""

from __future__ import annotations

from collections.abc import Sequence

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
