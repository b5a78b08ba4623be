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
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from registry.access.models import Site, User
from registry.access.scope import run_in_scope

from ..models import CLAIM_LASTS, Deliveries, Delivery

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
            .select_related("digest__site", "recipient")
            .select_for_update(of=("self",), skip_locked=True)
            .order_by("pk")
        )

    def stamp(self, deliveries: Collection[Delivery], **outcome: Any) -> None:
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
                close_old_connections()
        if stamped < len(keys):
            logger.error("The claim on recall deliveries %s expired before the outcome.", keys)

    def _stamp(self, keys: list[int], outcome: dict[str, Any]) -> int:
        """In one round trip, since each mail waits for it.

        Known by the moment alone, so that it may be said again when the answer got lost.
        """
        columns = ", ".join(f"{column} = %s" for column in outcome)
        statement = (
            f"UPDATE {Delivery._meta.db_table} SET {columns}"  # noqa: S608 - our own names
            " WHERE id = ANY(%s) AND claimed_at = %s"
        )
        values = [*outcome.values(), keys, self.made_at]
        return run_in_scope(self.by, self.site.pk, statement, values)
