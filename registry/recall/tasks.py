"""Recall's tasks: thin shells around the actions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from celery import shared_task
from django.utils import timezone

from registry.access.models import Site, User

from . import actions

logger = logging.getLogger(__name__)

# A sending that waits longer in the queue than until the next tick is queued again by that tick.
EXPIRES = 55


@shared_task
def tick() -> None:
    """Every minute: plan each site whose hour has come, invite, and queue what is to be sent."""
    by = User.objects.system("recall")
    for site in Site.objects.all():
        for step in (actions.invite, actions.plan, actions.tell):
            with _trouble_logged(site):
                step(by=by, site=site, now=timezone.now())
        with _trouble_logged(site):
            for delivery_id in actions.unfinished(by=by, site=site):
                send_delivery.apply_async([delivery_id, site.pk], expires=EXPIRES)


@contextmanager
def _trouble_logged(site: Site) -> Iterator[None]:
    """One site's or step's trouble keeps no other from its mail; the next tick tries again."""
    try:
        yield
    except Exception:
        logger.exception("Recall of site %s failed.", site.prefix)


@shared_task
def send_delivery(delivery_id: int, site_id: int) -> None:
    """Send one delivery, if nobody else has it."""
    actions.send(
        by=User.objects.system("recall"),
        site=Site.objects.get(pk=site_id),
        delivery_id=delivery_id,
        now=timezone.now(),
    )
