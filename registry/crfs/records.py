"""All that the records say about one participant, each kind fetched once, for the rules."""

from __future__ import annotations

from datetime import date
from typing import Any, TypeVar

from django.utils.functional import cached_property

from registry.imaging.models import Reading
from registry.ulcers import rules as ulcer_rules
from registry.ulcers.models import Ulcer
from registry.visits.crf import Crf
from registry.visits.recorded import recorded_forms

from .examination import Examination
from .rules import ceap as ceap_rules

C = TypeVar("C", bound=Crf)


class Records:
    """The records of one participant. However many they are, each kind takes one query."""

    def __init__(self, participant_no: int) -> None:
        self.participant_no = participant_no
        self._kinds: dict[type[Crf], list[Any]] = {}

    def of(self, model: type[C], limb: str = "", until: date | None = None) -> list[C]:
        """The records of a form in the order in which they were done.

        Those of one leg if asked, and those done until a day, that day included.
        """
        if model.declaration.code not in self._recorded:
            return []
        if model not in self._kinds:
            records: Any = model.objects.filter(
                entry__participant=self.participant_no, done_on__isnull=False
            )
            self._kinds[model] = list(
                records.select_related("entry__visit__participant__site").order_by("done_on", "pk")
            )
        return [
            one
            for one in self._kinds[model]
            if (not limb or one.entry.limb == limb) and (until is None or one.done_on <= until)
        ]

    @cached_property
    def _recorded(self) -> frozenset[str]:
        return recorded_forms([self.participant_no])

    def rows(self, model: type[Any], limb: str) -> list[Any]:
        """The rows of a log that are about a leg; a row that names none may be about any."""
        return [row for row in self.of(model) if row.limb in (limb, "both", None)]

    @cached_property
    def ulcers(self) -> list[Ulcer]:
        return list(Ulcer.objects.filter(participant=self.participant_no).with_assessments())

    def ulcers_of(self, limb: str) -> list[Ulcer]:
        return [ulcer for ulcer in self.ulcers if ulcer.limb == limb]

    def open_venous_ulcers(self, limb: str, on: date) -> list[str]:
        """Labels of the leg's ulcers of venous or mixed cause that are open on a day."""
        return [
            ulcer.label
            for ulcer in self.ulcers_of(limb)
            if ulcer.ulcer_cause in ceap_rules.VENOUS_CAUSES and ulcer_rules.is_open(ulcer, on)
        ]

    @cached_property
    def readings(self) -> dict[int, list[Reading]]:
        """X-ray study → its readings."""
        found: dict[int, list[Reading]] = {}
        for one in Reading.objects.filter(xray__entry__participant=self.participant_no):
            found.setdefault(one.xray_id, []).append(one)
        return found

    def skin_at(self, record: Crf) -> dict[str, bool | None]:
        """What the examination of the record's leg found at the record's visit."""
        for examination in self.of(Examination, record.entry.limb):
            if examination.entry.visit_id == record.entry.visit_id:
                return {name: getattr(examination, name) for name in ceap_rules.SKIN_CHANGES}
        return {}
