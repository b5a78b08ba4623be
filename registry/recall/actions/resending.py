"""Sending a mail again because somebody asks for it."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason

from ..models import Delivery, Digest
from .holding_back import RecallError, reason_given
from .planning import deliver

State = Delivery.State


@transaction.atomic
def resend(*, by: User, delivery: Delivery, because: str) -> Delivery:
    """Send a mail again to its recipient, at the address of today, as the facts are by then.

    Raises :class:`RecallError` while it is still on its way.
    """
    digest = Digest.objects.select_for_update().get(pk=delivery.digest_id)
    earlier = Delivery.objects.filter(digest=digest, recipient=delivery.recipient_id)
    if earlier.filter(state__in=[State.PLANNED, State.CLAIMED]).exists():
        raise RecallError(_("This mail is still on its way."))
    number = (earlier.aggregate(last=Max("number"))["last"] or 0) + 1
    because = reason_given(because)
    with with_reason(because):
        (again,) = deliver(digest, [delivery.recipient], number=number, because=because)
    return again
