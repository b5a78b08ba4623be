"""When a control follows the full plan: venous disease of C3 or more (forms.md, visit plan)."""

from __future__ import annotations

from datetime import date

from django.db.models import Min

from registry.participants.models import Participant
from registry.visits import planning

from .ceap import Ceap

VENOUS_DISEASE = 3  # the class of 1994


@planning.starts_full_plan
def venous_disease_appeared(participant: Participant) -> date | None:
    """The day of the first visit at which either leg was C3 or more."""
    seen = Ceap.objects.filter(
        entry__participant=participant, clinical_1994__gte=VENOUS_DISEASE
    ).aggregate(on=Min("entry__visit__attended_on"))
    day: date | None = seen["on"]
    return day
