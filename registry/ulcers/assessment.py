"""One look at one ulcer at a visit: the ``ulcers`` form, one column an open ulcer."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, DecimalField, F, Value, When

from registry.core.dictionary import choice, date, derived, kept, number, score, text, yes_no
from registry.visits.crf import Crf, Place, crf

from .ulcer import Ulcer

if TYPE_CHECKING:
    from registry.visits.models import Visit

OPEN, CLOSED = {"ulcer_status": "open"}, {"ulcer_status": "closed"}


@crf("Ulcers", code="ulcers")
class UlcerAssessment(Crf):
    ulcer = kept(models.ForeignKey(Ulcer, models.PROTECT, related_name="assessments"), "withhold")
    assessed_on = date("Assessed on", required=True, absence=False)
    ulcer_status = choice(
        "State",
        ["open", ("closed", "closed: epithelialised, no drainage, no dressing needed"), "merged"],
        required=True,
        absence=False,
    )
    merged_into = text(
        "Merged into (label)", required=True, when={"ulcer_status": "merged"}, absence=False
    )
    closure_by = choice(
        "Closed by",
        [
            ("secondary_intention", "secondary intention"),
            "graft",
            ("other_surgery", "other surgery"),
        ],
        required=True,
        when=CLOSED,
    )
    length_mm = number("Length", unit="mm", possible=(1, 400), required=True, when=OPEN)
    width_mm = number("Width", unit="mm", possible=(1, 400), required=True, when=OPEN)
    area_method = choice(
        "Area measured by",
        [("ruler_ellipse", "ruler: π/4 × length × width"), "planimetry", "photo"],
        when=OPEN,
    )
    area_measured_mm2 = number(
        "Area, when measured by planimetry or photo",
        unit="mm²",
        possible=(1, 130_000),
        when={"area_method": ("planimetry", "photo")},
    )
    area_mm2 = derived(
        "Area",
        Case(
            When(area_method__in=["planimetry", "photo"], then=F("area_measured_mm2")),
            When(
                ulcer_status="open",
                then=F("length_mm") * F("width_mm") * Value(Decimal("0.785398")),
            ),
        ),
        DecimalField(max_digits=12, decimal_places=1, null=True),
        unit="mm²",
        places=1,
    )
    depth = choice(
        "Depth",
        [
            "superficial",
            ("full_thickness", "full thickness"),
            ("to_fascia_or_bone", "to fascia or bone"),
        ],
        when=OPEN,
    )
    exudate = choice("Exudate", ["none", "light", "moderate", "heavy"], when=OPEN)
    exudate_type = choice("Type of exudate", ["serous", "purulent", "bloody"], when=OPEN)
    infection = yes_no("Infection", when=OPEN)
    slough_percent = number("Slough", unit="%", possible=(0, 100), when=OPEN)
    extruded_calcium = yes_no("Extruded calcium (visible chalky or stony material)", required=True)
    calcium_palpable = yes_no("Calcium palpable")
    pain_nrs = score("Pain (0–10)", [str(step) for step in range(11)])

    @classmethod
    def places(cls, visit: Visit) -> Iterable[Place]:
        """One column for each ulcer that was not known closed for good before the visit."""
        return []
