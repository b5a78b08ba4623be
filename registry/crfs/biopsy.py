"""A biopsy of one leg."""

from registry.core.dictionary import choice, date, multi, yes_no
from registry.ulcers.ulcer import LOCATIONS
from registry.visits.crf import LimbCrf, crf


@crf("Biopsy")
class Biopsy(LimbCrf):
    taken_on = date("Taken on", required=True)
    location = multi("Location", LOCATIONS, required=True)
    depth = choice("Depth", ["dermis", "subcutis", "both"])
    calcium_deposits = yes_no("Calcium deposits")
    bone_formation = yes_no("Bone formation", help="An ossified nodule.")
    fibrosis = yes_no("Fibrosis")
    giant_cells = yes_no("Foreign-body giant cells")
    vessel_wall_calcification = yes_no(
        "Calcified wall of small vessels", help="Of arterioles or small arteries, not of veins."
    )
    vessel_layer = choice(
        "Calcified layer of the vessel",
        ["intima", "media", "both"],
        when={"vessel_wall_calcification": True},
    )
    microthrombi = yes_no("Microthrombi")
    vasculitis = yes_no("Vasculitis")
