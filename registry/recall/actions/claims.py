"""Claims: which deliveries only this process may send, and what it says of them.

A claim is committed before anything is sent, and expires by itself: a process that dies keeps
nothing. Its moment is its name; whoever holds a later one has the delivery.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from registry.access.models import Site, User

from ..models import CLAIM_LASTS, Deliveries, Delivery
from .planning import at_site

logger = logging.getLogger(__name__)

PAUSE = 0.5  # seconds until a database that is away is asked again


@dataclass(frozen=True)
class Claim:
    """A hold on deliveries of a site, made at a moment."""

    by: User
    site: Site
    made_at: datetime

    def waiting(self, keys: Collection[int]) -> Deliveries:
        """Those of ``keys`` that may be claimed, locked; what others have locked is left out."""
        return (
            Delivery.objects.filter(site=self.site, pk__in=keys)
            .claimable()
            .select_related("digest", "recipient")
            .select_for_update(of=("self",), skip_locked=True)
            .order_by("pk")
        )

    def take(self, deliveries: Collection[Delivery], **values: object) -> None:
        """Claim ``deliveries`` in the transaction that locked them, and keep ``values``."""
        Delivery.objects.filter(pk__in=[one.pk for one in deliveries]).update(
            state=Delivery.State.CLAIMED, claimed_at=self.made_at, **values
        )

    def stamp(self, deliveries: Collection[Delivery], **outcome: object) -> None:
        """Write what became of ``deliveries``, save where the claim expired and another has it.

        A database that is away is waited for while the claim holds: the mail has gone.
        """
        keys = [one.pk for one in deliveries]
        while True:
            try:
                stamped = self._stamp(keys, outcome)
                break
            except (OperationalError, InterfaceError):
                if timezone.now() > self.made_at + CLAIM_LASTS:
                    raise
                logger.warning("The database is away: what became of a recall waits for it.")
                time.sleep(PAUSE)
        if stamped < len(keys):
            logger.error("The claim on recall deliveries %s expired before the outcome.", keys)

    def _stamp(self, keys: Collection[int], outcome: dict[str, object]) -> int:
        with transaction.atomic(durable=True), at_site(self.site, self.by):
            # Known by the moment alone, so that it may be said again when the answer got lost.
            mine = Delivery.objects.filter(pk__in=keys, claimed_at=self.made_at)
            return int(mine.update(**outcome))
