"""Past ulcers: healed before enrolment, as reported; never used in healing times."""

from __future__ import annotations

from collections.abc import Iterator

from registry.core.dates import span
from registry.core.dictionary import choice, partial_date
from registry.core.findings import Finding
from registry.visits.crf import LogCrf, crf

from . import rules


@crf("Past ulcers", code="past_ulcer")
class PastUlcer(LogCrf):
    limb = choice("Leg", ["right", "left"], required=True)
    onset_on = partial_date("Onset")
    reported_closed_on = partial_date("Reported as closed on")
    source = choice("Source", [("records", "medical records"), "participant"])

    def cross_checks(self) -> Iterator[Finding]:
        return rules.past_contradictions(
            span(self.onset_on) if self.onset_on else None,
            span(self.reported_closed_on) if self.reported_closed_on else None,
            self.entry.participant.enrolled_on,
        )
