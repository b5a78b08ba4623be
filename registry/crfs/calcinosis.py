"""Type of calcinosis of one leg: proposed by rule, confirmed or overridden by the investigator."""

from __future__ import annotations

from django.db.models import Case, CharField, F, When

from registry.core.dictionary import Kind, at_saving, choice, derived, text, yes_no
from registry.visits.crf import LimbCrf, crf

TYPES = (
    ("none", "none"),
    ("calciphylaxis", "calciphylaxis"),
    ("iatrogenic", "iatrogenic"),
    ("mixed", "mixed: dystrophic and metastatic"),
    ("metastatic", "metastatic"),
    ("indeterminate", "indeterminate"),
    ("dystrophic", "dystrophic"),
    ("idiopathic", "idiopathic"),
)
OVERRIDDEN = {"proposal_confirmed": False}


@crf("Calcinosis")
class Calcinosis(LimbCrf):
    proposed = at_saving(choice("Proposed by the registry", TYPES, privacy="group"))
    proposal_confirmed = yes_no(
        "Do you confirm the proposal?", required=True, absence=False, help="No overrides it."
    )
    overridden_to = choice(
        "Type by your judgement",
        TYPES,
        required=True,
        when=OVERRIDDEN,
        privacy="group",
    )
    basis = choice(
        "Basis of your judgement",
        ["histology", "imaging", "laboratory", ("clinical", "clinical picture")],
        required=True,
        when=OVERRIDDEN,
    )
    override_reason = text("Reason for overriding", required=True, when=OVERRIDDEN, absence=False)
    calcinosis_type = derived(
        "Type",
        Case(
            When(proposal_confirmed=True, then=F("proposed")),
            When(proposal_confirmed=False, then=F("overridden_to")),
        ),
        CharField(max_length=40, null=True),
        kind=Kind.CHOICE,
        choices=TYPES,
        privacy="group",
    )
