"""CT, MRI, scintigraphy or ultrasound of one leg, done for another reason than the study."""

from registry.core.dictionary import choice, date, multi, yes_no
from registry.ulcers.ulcer import ZONES
from registry.visits.crf import LimbCrf, crf


@crf("Other imaging", code="other_imaging")
class OtherImaging(LimbCrf):
    kind = choice(
        "Imaging", [("ct", "CT"), ("mri", "MRI"), "scintigraphy", "ultrasound"], required=True
    )
    imaged_on = date("Imaged on", required=True)
    calcification = choice("Calcification", ["present", "absent"], required=True)
    zones = multi("Zones calcified", [*ZONES, "none"], alone="none")
    concentric = yes_no("Concentric", help="Deposits all around the leg.")
    deposits_elsewhere = yes_no("Deposits elsewhere in the body")
