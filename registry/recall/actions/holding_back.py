"""What people hold back: a record until a day, a participant until further notice."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.core.errors import RefusedError
from registry.participants.actions import take_turns
from registry.participants.models import Participant

from ..models import RecallStop, Snooze

LONGEST_SNOOZE = timedelta(days=90)
LONGEST_REASON = 200


class RecallError(RefusedError):
    """What was asked of recall cannot be done; the message says why."""


@transaction.atomic
def snooze(*, by: User, site: Site, label: str, key: int, until: date, because: str) -> Snooze:
    """Tell nothing of a record before the day ``until``, on which it is told again.

    Raises :class:`RecallError`.
    """
    today = site.today
    if until <= today:
        raise RecallError(_("Choose a day to come."), "until")
    if until > today + LONGEST_SNOOZE:
        raise RecallError(
            _("At most %(days)d days: longer silence is a missed visit or a stop.")
            % {"days": LONGEST_SNOOZE.days},
            "until",
        )
    return Snooze.objects.create(
        site=site, label=label, key=key, until=until, because=reason_given(because), by=by
    )


@transaction.atomic
def stop(*, by: User, participant: Participant, because: str) -> RecallStop:
    """Recall the site of this participant no more, until somebody lifts it.

    Raises :class:`RecallError`.
    """
    take_turns([participant.pk])
    if participant.recall_stops.filter(lifted_at__isnull=True).exists():
        raise RecallError(_("Recall of this participant is stopped already."))
    return RecallStop.objects.create(participant=participant, because=reason_given(because), by=by)


@transaction.atomic
def lift(*, by: User, participant: Participant) -> None:
    """Recall the site of this participant again. Raises :class:`RecallError`."""
    take_turns([participant.pk])
    standing = participant.recall_stops.filter(lifted_at__isnull=True)
    if not standing.update(lifted_by=by, lifted_at=timezone.now()):
        raise RecallError(_("Recall of this participant is not stopped."))


def reason_given(because: str) -> str:
    """The reason without blanks around it. Raises :class:`RecallError` when there is none."""
    because = because.strip()
    if not because:
        raise RecallError(_("Say why."), "because")
    if len(because) > LONGEST_REASON:
        raise RecallError(_("At most %(count)s characters.") % {"count": LONGEST_REASON}, "because")
    return because
