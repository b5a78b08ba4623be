"""An ulcer: an object with identity over time, found again at each visit by its label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from registry.access.models import SiteRecord, SiteRecords, User
from registry.core.dates import Span, span
from registry.core.dictionary import choice, declared, kept, multi, partial_date
from registry.participants.models import Participant
from registry.visits.models import LIMBS

from . import rules

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from .assessment import UlcerAssessment

# The twelve zones of the lower leg on X-ray, where something else than a film is described.
ZONES = [
    (f"{third}_{aspect}", f"{third} third, {aspect}")
    for third in ("proximal", "middle", "distal")
    for aspect in ("medial", "lateral", "anterior", "posterior")
]
LOCATIONS = [
    ("medial_malleolus", "medial malleolus"),
    ("lateral_malleolus", "lateral malleolus"),
    *ZONES,
    "foot",
    "circumferential",
]


class Ulcers(SiteRecords):
    """Ulcers with all that their course is read from."""

    def with_assessments(self) -> Ulcers:
        """Fetch participants and assessments in two queries, however many ulcers there are."""
        return self.select_related("participant__site").prefetch_related("assessments")

    def of_leg(self, participant: Participant, limb: str) -> Ulcers:
        return self.filter(participant=participant, limb=limb).with_assessments()


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

    if TYPE_CHECKING:
        assessments: RelatedManager[UlcerAssessment]

    objects = Ulcers.as_manager()  # type: ignore[misc]

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

    @property
    def onset(self) -> Span:
        """The days on which the ulcer may have begun: none after it was first recorded."""
        days = span(self.onset_on)
        return Span(days.first, max(days.first, min(days.last, self.recorded_on)))

    @property
    def assessed(self) -> list[UlcerAssessment]:
        """Its assessments in the order of time; no query when they were prefetched."""
        if self.pk is None:
            return []
        return sorted(
            (one for one in self.assessments.all() if one.assessed_on),
            key=lambda one: (one.assessed_on, one.pk),
        )

    def course(self) -> rules.Course:
        """Open, closed, healed or merged, since when (:func:`.rules.course`)."""
        return rules.course(self.assessed)
