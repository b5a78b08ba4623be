"""History of one leg: once, at baseline."""

from registry.core.dictionary import multi, year, yes_no
from registry.visits.crf import LimbCrf, crf


@crf("Leg history", code="leg_history")
class LegHistory(LimbCrf):
    previous_dvt = yes_no(
        "Previous deep vein thrombosis", required=True, help="Yes asks for the Villalta score."
    )
    dvt_year = year("Year of the thrombosis", when={"previous_dvt": True})
    previous_ulcer = yes_no("Previous ulcer", required=True)
    joint_replacement = multi("Joint replacement", ["hip", "knee", "none"], alone="none")
