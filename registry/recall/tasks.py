"""Recall's tasks: thin shells around the actions."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from registry.access.models import Site, User

from . import actions

logger = logging.getLogger(__name__)

# A sending that waits longer in the queue than until the next tick is queued again by that tick.
EXPIRES = 55


@shared_task
def tick() -> None:
    """Every minute: plan each site whose hour has come, and queue what is to be sent."""
    by = User.objects.system("recall")
    for site in Site.objects.all():
        try:
            actions.plan(by=by, site=site, now=timezone.now())
            keys = actions.unfinished(by=by, site=site)
            for start in range(0, len(keys), actions.BATCH):
                send_deliveries.apply_async(
                    [site.pk, keys[start : start + actions.BATCH]], expires=EXPIRES
                )
        except Exception:
            # One site's trouble keeps no other from its mail; the next tick tries again.
            logger.exception("Recall of site %s failed.", site.prefix)


@shared_task
def send_deliveries(site_id: int, keys: list[int]) -> None:
    """Send a batch of a site's deliveries, save those that somebody else has."""
    actions.send(
        by=User.objects.system("recall"),
        site=Site.objects.get(pk=site_id),
        keys=keys,
        now=timezone.now(),
    )
