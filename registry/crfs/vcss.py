"""VCSS, the Venous Clinical Severity Score as revised in 2010: ten scores from 0 to 3."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from django.db.models import F, SmallIntegerField

from registry.core.dictionary import Kind, derived, score, text
from registry.ulcers.models import Ulcer
from registry.ulcers.rules import vcss_scores
from registry.visits.crf import LimbCrf, crf

if TYPE_CHECKING:
    from registry.visits.models import Visit

ULCER_SCORES = ("active_ulcers", "ulcer_duration", "ulcer_size")
SKIN_SCORES = ("pain", "varicose_veins", "oedema", "pigmentation", "inflammation", "induration")
SCORES = (*SKIN_SCORES, *ULCER_SCORES)
AREA = ("none or focal", "around the malleoli", "lower third of the calf", "wider")


def _sum(*names: str) -> Any:
    return reduce(add, (F(name) for name in names))


@crf("VCSS")
class Vcss(LimbCrf):
    pain = score(
        "Pain or discomfort",
        [
            "none",
            "occasional, restricting nothing",
            "daily, interfering with activity but not preventing it",
            "daily, limiting most activity",
        ],
        required=True,
    )
    varicose_veins = score(
        "Varicose veins (3 mm or more, standing)",
        ["none", "few, scattered; includes corona", "calf or thigh", "calf and thigh"],
        required=True,
    )
    oedema = score(
        "Oedema of venous origin",
        ["none", "foot and ankle", "above the ankle, below the knee", "knee and above"],
        required=True,
    )
    pigmentation = score("Pigmentation", AREA, required=True)
    inflammation = score("Inflammation", ["none", *AREA[1:]], required=True)
    induration = score(
        "Induration (includes lipodermatosclerosis and white atrophy)",
        ["none", *AREA[1:]],
        required=True,
    )
    active_ulcers = score("Active ulcers", ["none", "one", "two", "three or more"], required=True)
    ulcer_duration = score(
        "Longest active ulcer, duration",
        ["no ulcer", "under 3 months", "3 months to 1 year", "over 1 year, unhealed"],
        required=True,
    )
    ulcer_size = score(
        "Largest active ulcer, diameter",
        ["no ulcer", "under 2 cm", "2 to 6 cm", "over 6 cm"],
        required=True,
    )
    ulcer_comment = text(
        "Comment, where an ulcer score differs from the ulcer records",
        absence=False,
        one_line=True,
    )
    compression = score(
        "Compression",
        ["not used", "intermittent", "most days", "full compliance"],
        required=True,
    )
    total = derived(
        "Total",
        _sum(*SCORES, "compression"),
        SmallIntegerField(null=True),
        kind=Kind.SCORE,
        possible=(0, 30),
    )
    # Compression scores more with better care, hence a total without it.
    total_without_compression = derived(
        "Total without compression",
        _sum(*SCORES),
        SmallIntegerField(null=True),
        kind=Kind.SCORE,
        possible=(0, 27),
    )

    @classmethod
    def recorded(cls, visit: Visit, limb: str) -> dict[str, Any]:
        """The ulcer scores as the ulcer records have them."""
        if visit.attended_on is None:
            return {}
        leg = Ulcer.objects.filter(participant=visit.participant_id, limb=limb)
        return vcss_scores(leg.with_assessments(), visit.attended_on)
