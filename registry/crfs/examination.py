"""Examination of one leg: pulses, skin and duplex."""

from __future__ import annotations

from collections.abc import Iterator

from registry.core.dictionary import choice, date, multi, number, score, yes_no
from registry.core.findings import Finding
from registry.ulcers.ulcer import ZONES
from registry.visits.crf import LimbCrf, crf

from .rules import examination as rules
from .rules.ceap import SYSTEM_OF

DUPLEX = {"duplex_done": True}
SEGMENTS = [*SYSTEM_OF, "none"]


@crf("Examination")
class Examination(LimbCrf):
    pulses = choice("Foot pulses", ["normal", "weak", "absent"], ordered=True, required=True)
    arterial_waveform = choice(
        "Arterial waveform", ["triphasic", "biphasic", "monophasic"], ordered=True
    )
    abpi = number(
        "Ankle-brachial pressure index",
        possible=(0, 2.5),
        places=2,
        comparator=True,
        help="0.8 to 1.3 is normal; above 1.3 the arteries are stiff.",
    )
    incompressible = yes_no("Ankle arteries incompressible")
    tbpi = number("Toe-brachial pressure index", possible=(0, 1.5), places=2, comparator=True)
    oedema = score("Oedema", ["none", "foot", "ankle", "below the knee", "whole leg"])
    ankle_circumference_mm = number(
        "Ankle circumference", unit="mm", possible=(100, 900), expected=(160, 450)
    )
    pigmentation = yes_no("Pigmentation", required=True)
    eczema = yes_no("Eczema", required=True)
    lipodermatosclerosis = yes_no("Lipodermatosclerosis", required=True)
    atrophie_blanche = yes_no("Atrophie blanche", required=True)
    corona_phlebectatica = yes_no(
        "Corona phlebectatica",
        required=True,
        help="A fan of small intradermal veins at the inner or outer ankle and foot.",
    )
    lymphoedema_signs = yes_no(
        "Signs of lymphoedema", required=True, help="Includes lymphatic vesicles."
    )
    skin_necrosis = yes_no("Skin necrosis", required=True)
    livedo_or_purpura = yes_no("Livedo or retiform purpura", required=True)
    palpable_hard_plaque = yes_no("Palpable hard plaque", required=True)
    extruding_material = yes_no(
        "Extruding material", required=True, help="Chalky or stony material coming out of the skin."
    )
    duplex_done = yes_no("Duplex done", required=True)
    duplex_on = date("Duplex done on", when=DUPLEX)
    reflux_segments = multi(
        "Segments with reflux",
        SEGMENTS,
        alone="none",
        when=DUPLEX,
        help="GSV when above or below the knee is not stated.",
    )
    obstruction_segments = multi("Segments with obstruction", SEGMENTS, alone="none", when=DUPLEX)
    obstruction_age = choice("Age of the obstruction", ["acute", "old", "both"], when=DUPLEX)
    incompetent_perforators = yes_no("Incompetent perforators", when=DUPLEX)
    vein_wall_calcification = yes_no("Calcified vein wall", when=DUPLEX)
    echogenic_zones = multi(
        "Zones with echogenic foci in the tissue",
        [*ZONES, "none"],
        alone="none",
        when=DUPLEX,
        help="Bright foci with acoustic shadow in skin or subcutis, not in the vein wall.",
    )

    @property
    def index(self) -> rules.Abpi | None:
        """The ankle-brachial pressure index with its comparator."""
        if self.abpi is None:
            return None
        comparator: str | None = vars(self)["abpi_comparator"]
        return rules.Abpi(self.abpi, comparator or "=")

    @property
    def notices(self) -> dict[str, str]:
        return {"abpi": self.index.notice} if self.index and self.index.notice else {}

    def cross_checks(self) -> Iterator[Finding]:
        return rules.contradictions(self.index, self.incompressible)
