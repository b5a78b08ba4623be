"""Leg check: a recorded "no" is what makes ulcer-free time countable."""

from registry.core.dictionary import choice, yes_no

from .crf import LimbCrf, crf


@crf("Leg check", code="leg_check")
class LegCheck(LimbCrf):
    leg_status = choice(
        "Leg",
        [
            "present",
            ("amputated_below_knee", "amputated below knee"),
            ("amputated_above_knee", "amputated above knee"),
        ],
        required=True,
        privacy="group",
    )
    any_open_ulcer = yes_no("Any open ulcer", required=True)
