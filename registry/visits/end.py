"""End of participation: once, with its reason."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from registry.core.dictionary import choice, date
from registry.core.findings import Finding, Level

from .contact import Contact
from .crf import LogCrf, crf

ATTEMPTS_BEFORE_LOST = 3


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

    def cross_checks(self) -> Iterator[Finding]:
        participant = self.entry.participant_id
        if End.objects.filter(entry__participant=participant).exclude(pk=self.pk).exists():
            yield Finding(
                Level.IMPOSSIBLE,
                "ended_on",
                _("The end of participation is recorded already. Correct that one."),
                "ends_once",
            )
        attempts = Contact.objects.filter(entry__participant=participant).count()
        if self.reason == "lost_to_follow_up" and attempts < ATTEMPTS_BEFORE_LOST:
            yield Finding(
                Level.IMPOSSIBLE,
                "reason",
                _(
                    "Lost to follow-up needs %(needed)s recorded contact attempts; there are"
                    " %(attempts)s."
                )
                % {"needed": ATTEMPTS_BEFORE_LOST, "attempts": attempts},
                "lost_without_attempts",
            )
