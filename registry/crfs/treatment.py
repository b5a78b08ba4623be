"""Treatments: a log with start and stop, one row each."""

from __future__ import annotations

from collections.abc import Iterator

from registry.core.dictionary import choice, date, number, partial_date, text, yes_no
from registry.core.findings import Finding
from registry.visits.crf import LogCrf, crf

from .rules import treatment as rules

COMPRESSION = ("compression_bandage", "compression_stocking")
REMOVAL = ("forceps_extraction", "surgical_excision")


@crf("Treatments", code="treatment")
class Treatment(LogCrf):
    kind = choice(
        "Treatment",
        [
            ("compression_bandage", "compression bandage"),
            ("compression_stocking", "compression stocking"),
            ("dressing_alginate", "dressing, alginate"),
            ("dressing_other", "dressing, other"),
            ("negative_pressure", "negative-pressure therapy"),
            ("forceps_extraction", "extraction with forceps"),
            ("sharp_debridement", "sharp debridement"),
            ("surgical_excision", "surgical excision"),
            ("skin_graft", "skin graft"),
            ("sodium_thiosulphate_topical", "sodium thiosulphate, topical"),
            ("co2_laser", "CO₂ laser"),
            ("shock_wave", "shock wave"),
            ("hyperbaric_oxygen", "hyperbaric oxygen"),
            ("intralesional_steroid", "steroid, intralesional"),
            ("systemic_steroid", "steroid, systemic"),
            "diltiazem",
            "bisphosphonate",
            "probenecid",
            "colchicine",
            ("phosphate_binder_or_antacid", "phosphate binder or antacid"),
            ("other_calcium_drug", "other drug acting on calcium"),
            ("calcium_supplement", "calcium supplement"),
            ("vitamin_d", "vitamin D"),
            ("parenteral_calcium_phosphate", "calcium or phosphate, parenteral"),
            "parathyroidectomy",
            "dialysis",
            ("antibiotic_systemic", "antibiotic, systemic"),
            ("anticoagulant_warfarin", "anticoagulant, warfarin"),
            ("anticoagulant_other", "anticoagulant, other"),
            ("venous_ablation", "venous ablation"),
            ("venous_stent", "venous stent"),
            "sclerotherapy",
            "other",
        ],
        required=True,
    )
    limb = choice("Leg", ["right", "left", "both"], help="For what is done at a leg.")
    started_on = partial_date("Started on", required=True)
    ongoing = yes_no("Ongoing", required=True)
    stopped_on = date("Stopped on", when={"ongoing": False})
    indication = choice(
        "Indication",
        [
            "venous",
            "thrombosis",
            ("atrial_fibrillation", "atrial fibrillation"),
            "calcium",
            "infection",
            "other",
        ],
        required_when={"kind": "anticoagulant_warfarin"},
        help="Always asked for warfarin: it is itself a risk factor for calciphylaxis.",
    )
    compression_mmhg = choice(
        "Pressure of the compression",
        [
            ("under_20", "under 20 mmHg"),
            ("20_to_40", "20 to 40 mmHg"),
            ("over_40", "over 40 mmHg"),
        ],
        ordered=True,
        when={"kind": COMPRESSION},
    )
    removed_length_mm = number(
        "Length of what was removed", unit="mm", possible=(1, 400), when={"kind": REMOVAL}
    )
    removed_width_mm = number(
        "Width of what was removed", unit="mm", possible=(1, 400), when={"kind": REMOVAL}
    )
    graft_take_percent = number(
        "Graft taken", unit="%", possible=(0, 100), when={"kind": "skin_graft"}
    )
    note = text("Note", absence=False)

    def cross_checks(self) -> Iterator[Finding]:
        return rules.contradictions(self.started_on, self.stopped_on)
