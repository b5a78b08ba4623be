"""Sending a mail again because somebody asks for it."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason

from ..models import Delivery
from .holding_back import RecallError, reason_given
from .planning import deliver

State = Delivery.State


@transaction.atomic
def resend(*, by: User, delivery: Delivery, because: str) -> Delivery:
    """Send a mail again to its recipient, at the address of today, as the facts are by then.

    Raises :class:`RecallError` while it is still on its way.
    """
    because = reason_given(because)
    earlier = list(
        Delivery.objects.select_for_update(of=("self",))
        .filter(digest=delivery.digest_id, recipient=delivery.recipient_id)
        .order_by("number")
    )
    if any(one.state in (State.PLANNED, State.CLAIMED) for one in earlier):
        raise RecallError(_("This mail is still on its way."))
    number = earlier[-1].number + 1
    with with_reason(because):
        (again,) = deliver(delivery.digest, [delivery.recipient], number=number, because=because)
    return again
