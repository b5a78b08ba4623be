"""Previous venous treatment of a leg, one row each."""

from registry.core import dictionary as d
from registry.visits.crf import LogCrf, crf

from .rules import SYSTEM_OF


@crf("Previous venous treatment", code="venous_treatment")
class VenousTreatment(LogCrf):
    limb = d.choice("Leg", ["right", "left"], required=True)
    kind = d.choice(
        "Treatment",
        [
            "stripping",
            ("endothermal", "endothermal ablation"),
            ("foam_sclerotherapy", "foam sclerotherapy"),
            ("adhesive", "adhesive closure"),
            "stent",
        ],
        required=True,
    )
    segments = d.multi("Segments treated", list(SYSTEM_OF), required=True)
    year = d.year("Year")
