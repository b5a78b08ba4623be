"""Weight, asked again at yearly visits."""

from __future__ import annotations

from decimal import Decimal

from registry.core.dictionary import at_saving, number
from registry.visits.crf import VisitCrf, crf

from .history import History


@crf("Body")
class Body(VisitCrf):
    weight_kg = number(
        "Weight", unit="kg", possible=(25, 350), expected=(40, 180), places=1, privacy="group"
    )
    bmi = at_saving(
        number(
            "Body mass index, with the height of the history",
            unit="kg/m²",
            possible=(4, 350),
            places=1,
            privacy="group",
        )
    )

    def before_saving(self) -> None:
        histories = History.objects.filter(entry__participant=self.entry.participant_id)
        height = histories.values_list("height_cm", flat=True).first()
        self.bmi = None
        if self.weight_kg is not None and height is not None:
            self.bmi = round(Decimal(self.weight_kg) * 10_000 / (height * height), 1)
