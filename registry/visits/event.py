"""Events: what happened to the participant between or at visits, one row each."""

from registry.core.dictionary import choice, date, text, yes_no

from .crf import LogCrf, crf
from .follow_up import Happened

LEG_EVENTS = (
    "amputation_toe",
    "amputation_foot",
    "amputation_below_knee",
    "amputation_above_knee",
    "hospital_admission",
    "osteomyelitis",
    "cellulitis",
    "dvt",
    "other",
)


@crf("Events", code="event")
class Event(LogCrf):
    kind = choice(
        "Event",
        [
            ("amputation_toe", "amputation of a toe"),
            ("amputation_foot", "amputation of the foot"),
            ("amputation_below_knee", "amputation below the knee"),
            ("amputation_above_knee", "amputation above the knee"),
            ("hospital_admission", "admission to hospital"),
            "osteomyelitis",
            "cellulitis",
            ("dvt", "deep vein thrombosis"),
            ("pulmonary_embolism", "pulmonary embolism"),
            "death",
            "other",
        ],
        required=True,
        privacy="group",
    )
    occurred_on = date("Happened on", required=True)
    limb = choice("Leg", ["right", "left"], when={"kind": LEG_EVENTS})
    related_to_ulcer = yes_no("Related to an ulcer")
    cause_of_death = choice(
        "Cause of death",
        ["sepsis", "cardiovascular", "cancer", "other"],
        when={"kind": "death"},
        privacy="group",
    )
    note = text("Note", absence=False)

    @property
    def happened(self) -> Happened:
        """The event as the rules see it, once it has a kind and a day."""
        return Happened(self.kind, self.occurred_on, self.limb or "")
