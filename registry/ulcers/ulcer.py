"""An ulcer: an object with identity over time, found again at each visit by its label."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.access.models import SiteRecord, User
from registry.core.dictionary import choice, declared, kept, multi, partial_date
from registry.participants.models import Participant
from registry.visits.models import LIMBS

LOCATIONS = [
    ("medial_malleolus", "medial malleolus"),
    ("lateral_malleolus", "lateral malleolus"),
    *(
        (f"{third}_{aspect}", f"{third} third, {aspect}")
        for third in ("proximal", "middle", "distal")
        for aspect in ("medial", "lateral", "anterior", "posterior")
    ),
    "foot",
    "circumferential",
]


@declared("ulcer", "Ulcer")
class Ulcer(SiteRecord):
    """One ulcer of one leg; ``label`` (R1, R2, L1 …) is given by the registry and never reused."""

    participant = kept(
        models.ForeignKey(Participant, models.PROTECT, related_name="ulcers"), "withhold"
    )
    limb = kept(models.CharField(max_length=5, choices=LIMBS), "release", "Leg")
    label = kept(models.CharField(max_length=5), "release", "Label")
    location = multi("Location", LOCATIONS, required=True, absence=False)
    onset_on = partial_date("Onset", required=True, absence=False)
    ulcer_cause = choice(
        "Cause",
        ["venous", "mixed", "arterial", "traumatic", "calcinosis", "other"],
        required=True,
        absence=False,
    )
    recorded_on = kept(models.DateField(), "date", "First recorded on")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")

    class Meta:
        ordering = ["participant", "label"]
        constraints = [
            models.UniqueConstraint(fields=["participant", "label"], name="ulcer_label_once"),
            models.CheckConstraint(
                condition=Q(limb__in=["right", "left"]), name="ulcer_limb_possible"
            ),
        ]

    def __str__(self) -> str:
        return self.label
