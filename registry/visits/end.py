"""End of participation: once, with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from registry.core.dictionary import Item, choice, date
from registry.core.findings import Finding

from . import follow_up
from .contact import Contact
from .crf import LogCrf, crf

if TYPE_CHECKING:
    from .models import FormEntry


@crf("End of participation", code="end")
class End(LogCrf):
    ended_on = date("Ended on", required=True)
    reason = choice(
        "Reason",
        [
            ("completed", "completed the study"),
            ("withdrew", "withdrew"),
            ("lost_to_follow_up", "lost to follow-up"),
            ("moved", "moved away"),
            "died",
            ("investigator_decision", "investigator's decision"),
        ],
        required=True,
        privacy="group",
        help="Lost to follow-up needs three recorded contact attempts.",
    )
    last_known_alive_on = date("Last known alive on")

    @classmethod
    def offered(cls, items: dict[str, Item], entry: FormEntry) -> dict[str, Item]:
        """Lost to follow-up only after three contact attempts."""
        if follow_up.may_be_lost(_attempts(entry.participant_id)):
            return items
        reason = items["reason"]
        choices = tuple(pair for pair in reason.choices if pair[0] != follow_up.LOST)
        return items | {"reason": replace(reason, choices=choices)}

    @property
    def as_recorded(self) -> follow_up.Ended:
        return follow_up.Ended(self.ended_on, self.reason, self.last_known_alive_on)

    def cross_checks(self) -> Iterator[Finding]:
        participant = self.entry.participant
        of_participant = {"entry__participant": participant}
        return follow_up.end_refusals(
            self.as_recorded,
            attempts=_attempts(participant.pk),
            others=End.objects.filter(**of_participant).exclude(pk=self.pk).count(),
            enrolled_on=participant.enrolled_on,
        )


def _attempts(participant_no: int) -> int:
    return Contact.objects.filter(entry__participant=participant_no).count()
