"""Items that a record derives from other records, kept up to date whenever one of them changes.

What the investigator signed as a judgement (the proposal of calcinosis) stays as it was seen;
a check says when the records have moved on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from registry.quality import checks as quality
from registry.visits.crf import Crf

from .body import Body, body_mass_index
from .ceap import Ceap
from .history import History
from .records import Records
from .rules import ceap as ceap_rules
from .rules import villalta as villalta_rules
from .villalta import Villalta


@quality.keeps_up
def keep_derived_items(participant_no: int) -> None:
    """Write the derived items that differ from what the records say; locked forms stay."""
    for record, item, value in _derived(Records(participant_no)):
        if getattr(record, item) != value and not record.entry.locked:
            type(record).objects.filter(pk=record.pk).update(**{item: value})


def _derived(records: Records) -> Iterator[tuple[Crf, str, Any]]:
    for villalta in records.of(Villalta):
        ulcers = records.open_venous_ulcers(villalta.entry.limb, villalta.done_on)
        grade = villalta_rules.grade(villalta.total, open_venous_ulcer=bool(ulcers))
        yield villalta, "grade", grade
    for ceap in records.of(Ceap):
        alone = ceap_rules.c4c_alone(ceap.clinical, records.skin_at(ceap))
        yield ceap, "c4c_alone", alone if ceap.clinical else None
    bodies = records.of(Body)
    histories = records.of(History) if bodies else []
    height = histories[0].height_cm if histories else None
    for body in bodies:
        yield body, "bmi", body_mass_index(body.weight_kg, height)
