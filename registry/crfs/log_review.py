"""Review of the logs at a visit: each was looked through, with new rows or without.

An item is named after its log.
"""

from typing import Any

from registry.core.dictionary import choice
from registry.visits.crf import VisitCrf, crf


def _reviewed(log: str, section: str) -> Any:
    return choice(
        log,
        [("nothing_new", "nothing new"), ("entries_made", "entries made")],
        required=True,
        section=section,
    )


@crf("Review of the logs", code="log_review")
class LogReview(VisitCrf):
    treatment = _reviewed("Treatments", "ongoing")
    event = _reviewed("Events", "ongoing")
    local_damage = _reviewed("Local damage", "history")
    venous_treatment = _reviewed("Previous venous treatment", "history")
    past_ulcer = _reviewed("Past ulcers", "history")
