"""Recall's tasks: thin shells around the actions."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from celery import shared_task
from django.utils import timezone

from registry.access.models import Site, User

from . import actions
from .ahead import one_ahead

logger = logging.getLogger(__name__)

# A sending that waits longer in the queue than until the next tick is queued again by that tick.
EXPIRES = 55
PARCEL = 5  # batches a task sends one after the other


@shared_task
def tick() -> None:
    """Every minute: plan each site whose hour has come, invite, and queue what is to be sent."""
    by = User.objects.system("recall")
    parcel: list[tuple[int, Sequence[int]]] = []
    for site in Site.objects.all():
        for step in (actions.invite, actions.plan, actions.tell):
            with _trouble_logged(site):
                step(by=by, site=site, now=timezone.now())
        with _trouble_logged(site):
            keys = actions.unfinished(by=by, site=site)
            parcel += ((site.pk, some) for some in actions.batches(keys))
        while len(parcel) >= PARCEL:
            _queue(parcel[:PARCEL])
            del parcel[:PARCEL]
    if parcel:
        _queue(parcel)


@contextmanager
def _trouble_logged(site: Site) -> Iterator[None]:
    """One site's or step's trouble keeps no other from its mail; the next tick tries again."""
    try:
        yield
    except Exception:
        logger.exception("Recall of site %s failed.", site.prefix)


def _queue(parcel: list[tuple[int, Sequence[int]]]) -> None:
    send_deliveries.apply_async([parcel], expires=EXPIRES)


@shared_task
def send_deliveries(parcel: list[tuple[int, Sequence[int]]]) -> None:
    """Send batches (site and deliveries, by their keys), save what somebody else has."""
    sites = Site.objects.in_bulk([site_id for site_id, _keys in parcel])
    actions.send(
        by=User.objects.system("recall"),
        waiting=[(sites[site_id], keys) for site_id, keys in parcel],
        now=timezone.now(),
        ahead=one_ahead,
    )
