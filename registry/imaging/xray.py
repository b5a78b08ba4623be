"""The X-ray study of one leg at a visit."""

from registry.core.dictionary import choice, date, multi, yes_no
from registry.visits.crf import LimbCrf, crf

from .zones import THIRDS

PERFORMED = {"performed": True}


@crf("X-ray")
class Xray(LimbCrf):
    performed = yes_no("X-ray performed", required=True)
    purpose = choice("Purpose", ["study", "clinical"], required=True, when=PERFORMED)
    pregnancy_excluded = yes_no("Pregnancy excluded", required=True, when=PERFORMED)
    acquired_on = date("Film taken on", required=True, when=PERFORMED)
    views = multi(
        "Views",
        [
            ("ap", "AP"),
            ("pa", "PA"),
            "lateral",
            "oblique",
            ("not_stated", "not stated"),
        ],
        alone="not_stated",
        required=True,
        when=PERFORMED,
    )
    thirds_covered = multi("Thirds covered", THIRDS, required=True, when=PERFORMED)
    modality = choice(
        "Modality",
        [
            ("cr", "computed radiography"),
            ("dx", "digital radiography"),
            ("scanned_film", "scanned film"),
            "other",
        ],
        when=PERFORMED,
    )
