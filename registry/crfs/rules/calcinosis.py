"""Which calcinosis a leg has, proposed from the records (``forms.md``, calcinosis).

The order of the rule is that of ``domain.md`` A2: what is looked for first is what would
change the treatment; missing laboratory values never make a calcification dystrophic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol, TypeVar

from django.utils.translation import gettext as _

from registry.core.findings import Finding, Level

LABORATORY_WITHIN = 90  # days from the film
CONNECTIVE_TISSUE = (
    "rheumatoid_arthritis",
    "systemic_sclerosis",
    "lupus",
    "dermatomyositis",
    "other_connective_tissue",
)


@dataclass(frozen=True)
class Measured:
    """A laboratory value with its comparator (=, <, >) and the laboratory's upper limit."""

    value: Decimal
    comparator: str = "="
    ref_high: Decimal | None = None

    @property
    def above(self) -> bool | None:
        """Whether it lies above the limit; None when that cannot be said."""
        if self.ref_high is None:
            return None
        if self.comparator == "<":
            return False if self.value <= self.ref_high else None
        if self.comparator == ">":
            return True if self.value >= self.ref_high else None
        return self.value > self.ref_high


@dataclass(frozen=True)
class Evidence:
    """All that the proposal for one leg depends on.

    ``calcified`` is by film, other imaging, biopsy or extrusion (no phlebolith, no artery), None
    while nobody looked; ``calcium`` is the corrected one, or the total without albumin; both
    laboratory values are of a sample within 90 days of the film. ``advanced_cvi`` is a class of
    C4 to C6, C4c alone not counting.
    """

    calcified: bool | None = None
    calcified_zones: frozenset[str] = frozenset()
    vessel_wall_calcification: bool = False
    skin_necrosis: bool = False
    parenteral: bool = False
    extravasation_zones: frozenset[str] = frozenset()
    calcium: Measured | None = None
    phosphate: Measured | None = None
    dialysis: bool = False
    local_damage: bool = False
    connective_tissue: bool = False
    advanced_cvi: bool = False


def proposed(leg: Evidence) -> str | None:
    """The type of calcinosis; the first match counts. None while nobody looked for it."""
    if not leg.calcified:
        return None if leg.calcified is None else "none"
    if leg.vessel_wall_calcification and leg.skin_necrosis:
        return "calciphylaxis"
    if leg.parenteral or leg.extravasation_zones & leg.calcified_zones:
        return "iatrogenic"
    above = [value.above if value else None for value in (leg.calcium, leg.phosphate)]
    if True in above:
        return "mixed" if leg.local_damage else "metastatic"
    if None in above or leg.dialysis:
        return "indeterminate"
    if leg.local_damage or leg.connective_tissue or leg.advanced_cvi:
        return "dystrophic"
    return "idiopathic"


class Sampled(Protocol):
    sampled_on: date | None


S = TypeVar("S", bound=Sampled)


def sample_for(film_on: date, samples: Iterable[S]) -> S | None:
    """The sample nearest the film among those within 90 days of it; of two as near the later."""
    near = [
        (abs((day - film_on).days), -day.toordinal(), number, one)
        for number, one in enumerate(samples)
        if (day := one.sampled_on) and abs((day - film_on).days) <= LABORATORY_WITHIN
    ]
    return min(near)[-1] if near else None


def contradictions(kept: str | None, now: str | None, final: str | None) -> Iterator[Finding]:
    """The proposal that the investigator saw against what the records propose today.

    ``final`` is the type that stands, confirmed or overridden: while it is what the records
    propose, or they propose what they did, nothing is asked.
    """
    if now not in (kept, final):
        words = {
            name: value or _("nothing")
            for name, value in {"kept": kept, "now": now, "final": final}.items()
        }
        yield Finding(
            Level.INCONSISTENT,
            "proposal_confirmed",
            _(
                "The type stands as %(final)s. When it was saved the records proposed %(kept)s;"
                " films, imaging, biopsies, laboratory, history and treatments now propose %(now)s."
            )
            % words,
            "proposal_changed",
        )
