"""Type of calcinosis of one leg: proposed by rule, confirmed or overridden by the investigator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, F, When
from django.utils.translation import gettext as _

from registry.core.dictionary import Kind, at_saving, choice, derived, text, yes_no
from registry.core.findings import Finding, Level
from registry.visits.crf import LimbCrf, crf

from .leg_facts import calcinosis_evidence
from .records import Records
from .rules.calcinosis import proposed

if TYPE_CHECKING:
    from registry.visits.models import Visit

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
        "Do you confirm the proposal?", required=True, help="No overrides it."
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

    @classmethod
    def recorded(cls, visit: Visit, limb: str) -> dict[str, Any]:
        """The type that the records of the leg propose now."""
        if visit.attended_on is None:
            return {}
        evidence = calcinosis_evidence(Records(visit.participant_id), limb, visit.attended_on)
        return {"proposed": proposed(evidence)}

    def cross_checks(self) -> Iterator[Finding]:
        """There is nothing to confirm of a leg that nobody could look at."""
        if self.proposal_confirmed and self.proposed is None:
            message = _(
                "Nothing is proposed, for nobody could judge this leg: code it not assessable,"
                " or override with your judgement."
            )
            yield Finding(Level.IMPOSSIBLE, "proposal_confirmed", message, "nothing_to_confirm")

    def before_saving(self) -> None:
        """Keep the proposal that the investigator confirms or overrides."""
        self.proposed = self.recorded(self.entry.visit, self.entry.limb)["proposed"]
