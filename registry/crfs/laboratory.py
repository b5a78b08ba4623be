"""Laboratory: each value in either unit, with comparator and the laboratory's limits."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Case, DecimalField, F, Value, When

from registry.core.dictionary import choice, date, derived, number
from registry.visits.crf import VisitCrf, crf

from .limits import limits_on

NEGATIVE_POSITIVE = ("negative", "positive")


@crf("Laboratory")
class Laboratory(VisitCrf):
    sampled_on = date("Sample taken on", required=True)
    calcium_total = number(
        "Total calcium",
        unit="mmol/L",
        also={"mg/dL": 0.2495},
        possible=(0.5, 6),
        expected=(1.8, 3.0),
        places=3,
        comparator=True,
        limits=True,
        code="LOINC 2000-8",
    )
    albumin = number(
        "Albumin",
        unit="g/L",
        also={"g/dL": 10},
        possible=(5, 80),
        expected=(20, 55),
        places=2,
        comparator=True,
        limits=True,
        code="LOINC 1751-7",
    )
    # Both measured exactly, or there is nothing to correct: total + 0.02 × (40 − albumin).
    calcium_corrected = derived(
        "Corrected calcium",
        Case(
            When(
                calcium_total_comparator="=",
                albumin_comparator="=",
                then=F("calcium_total") + Value(Decimal("0.02")) * (Value(40) - F("albumin")),
            )
        ),
        DecimalField(max_digits=12, decimal_places=3, null=True),
        unit="mmol/L",
        expected=(1.8, 3.0),
        places=3,
    )
    phosphate = number(
        "Phosphate",
        unit="mmol/L",
        also={"mg/dL": 0.3229},
        possible=(0.1, 6),
        expected=(0.5, 2.5),
        places=3,
        comparator=True,
        limits=True,
    )
    pth = number(
        "Parathyroid hormone",
        unit="pmol/L",
        also={"pg/mL": 0.1060},
        possible=(0, 600),
        expected=(0.5, 100),
        places=3,
        comparator=True,
        limits=True,
    )
    creatinine = number(
        "Creatinine",
        unit="µmol/L",
        also={"mg/dL": 88.42},
        possible=(10, 3000),
        expected=(30, 900),
        places=1,
        comparator=True,
        limits=True,
        code="LOINC 14682-9",
    )
    vitamin_d_25oh = number(
        "25-hydroxyvitamin D",
        unit="nmol/L",
        also={"ng/mL": 2.496},
        possible=(2, 700),
        expected=(20, 200),
        places=2,
        comparator=True,
        limits=True,
    )
    crp = number(
        "C-reactive protein",
        unit="mg/L",
        possible=(0, 600),
        expected=(0, 200),
        places=2,
        comparator=True,
        limits=True,
    )
    autoimmune_serology = choice("Autoimmune serology", NEGATIVE_POSITIVE)
    bacterial_culture = choice("Bacterial culture", NEGATIVE_POSITIVE)
    fungal_culture = choice("Fungal culture", NEGATIVE_POSITIVE)

    def before_saving(self) -> None:
        """Keep the limits of the site's laboratory that are valid on the day of the sample."""
        if self.sampled_on is None:
            return
        for item, (low, high) in limits_on(self.entry.site_id, self.sampled_on).items():
            setattr(self, f"{item}_ref_low", low)
            setattr(self, f"{item}_ref_high", high)
