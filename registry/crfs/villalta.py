"""Villalta score of post-thrombotic syndrome: five symptoms and six signs from 0 to 3.

Source: ``domain.md`` B3; meaningful only in a leg with a deep vein thrombosis.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from django.db.models import F, SmallIntegerField

from registry.core.dictionary import Kind, at_saving, choice, derived, score
from registry.visits.crf import LimbCrf, Place, crf
from registry.visits.models import Event

from .leg_history import LegHistory

if TYPE_CHECKING:
    from registry.visits.models import Visit

SYMPTOMS = ("cramps", "heaviness", "pain", "paraesthesia", "pruritus")
SIGNS = (
    "pretibial_oedema",
    "induration",
    "hyperpigmentation",
    "redness",
    "venous_ectasia",
    "calf_compression_pain",
)
STEPS = ("none", "mild", "moderate", "severe")


@crf("Villalta score", code="villalta")
class Villalta(LimbCrf):
    cramps = score("Cramps", STEPS, required=True)
    heaviness = score("Heaviness", STEPS, required=True)
    pain = score("Pain", STEPS, required=True)
    paraesthesia = score("Paraesthesia", STEPS, required=True)
    pruritus = score("Pruritus", STEPS, required=True)
    pretibial_oedema = score("Pretibial oedema", STEPS, required=True)
    induration = score("Skin induration", STEPS, required=True)
    hyperpigmentation = score("Hyperpigmentation", STEPS, required=True)
    redness = score("Redness", STEPS, required=True)
    venous_ectasia = score("Venous ectasia", STEPS, required=True)
    calf_compression_pain = score("Pain on calf compression", STEPS, required=True)
    total = derived(
        "Total",
        reduce(add, map(F, (*SYMPTOMS, *SIGNS))),
        SmallIntegerField(null=True),
        kind=Kind.SCORE,
        possible=(0, 33),
    )
    # Under 5 none, 5 to 9 mild, 10 to 14 moderate, 15 or more or an open venous ulcer severe.
    grade = at_saving(choice("Post-thrombotic syndrome", STEPS, ordered=True))

    places_from = ("leg_history", "event")

    @classmethod
    def places(cls, visit: Visit) -> Iterable[Place]:
        """The legs with a deep vein thrombosis in the history or among the events by then."""
        if visit.attended_on is None:
            return []
        of_participant = {"entry__participant": visit.participant_id}
        legs = {
            *LegHistory.objects.filter(**of_participant, previous_dvt=True).values_list(
                "entry__limb", flat=True
            ),
            *Event.objects.filter(
                **of_participant, kind="dvt", occurred_on__lte=visit.attended_on
            ).values_list("limb", flat=True),
        }
        return [(limb, occurrence) for limb, occurrence in super().places(visit) if limb in legs]
