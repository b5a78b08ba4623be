"""Weight, asked again at yearly visits."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

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
        """The body mass index with the height of the history."""
        histories = History.objects.filter(entry__participant=self.entry.participant_id)
        height = histories.values_list("height_cm", flat=True).first()
        self.bmi = body_mass_index(self.weight_kg, height)


def body_mass_index(weight_kg: Any, height_cm: Any) -> Decimal | None:
    """kg/m², one decimal; None when one of the two is not known."""
    if weight_kg is None or height_cm is None:
        return None
    bmi = Decimal(weight_kg) * 10_000 / (Decimal(height_cm) * Decimal(height_cm))
    return bmi.quantize(Decimal("0.1"), ROUND_HALF_UP)  # as the database rounds the history's
