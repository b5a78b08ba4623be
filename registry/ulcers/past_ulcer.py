"""Past ulcers: healed before enrolment, as reported; never used in healing times."""

from registry.core.dictionary import choice, partial_date
from registry.visits.crf import LogCrf, crf


@crf("Past ulcers", code="past_ulcer")
class PastUlcer(LogCrf):
    limb = choice("Leg", ["right", "left"], required=True)
    onset_on = partial_date("Onset")
    reported_closed_on = partial_date("Reported as closed on")
    source = choice("Source", [("records", "medical records"), "participant"])
