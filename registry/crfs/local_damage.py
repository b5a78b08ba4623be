"""Local damage of a leg before enrolment, one row each."""

from registry.core import dictionary as d
from registry.ulcers.ulcer import ZONES
from registry.visits.crf import LogCrf, crf


@crf("Local damage", code="local_damage")
class LocalDamage(LogCrf):
    limb = d.choice("Leg", ["right", "left"], required=True)
    kind = d.choice(
        "Damage",
        ["burn", "trauma", "bite", "radiation", "injection", "extravasation", "surgery"],
        required=True,
    )
    zones = d.multi("Zones", [*ZONES, ("none", "none of the lower leg")], alone="none")
    year = d.year("Year")
