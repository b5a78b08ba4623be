"""The nightly check's tasks: thin shells around :mod:`.recheck`."""

from __future__ import annotations

from datetime import date

from celery import shared_task
from django.utils import timezone

from registry.access.models import Site, User

from . import recheck


@shared_task
def recheck_everything() -> None:
    """Queue the check of each site; a site that is finished today or under way is left alone."""
    today = timezone.now().date().isoformat()
    for site_id in Site.objects.values_list("pk", flat=True):
        recheck_site.delay(site_id, today)


@shared_task
def recheck_site(site_id: int, day: str) -> None:
    """Check a site's participants, or go on where a worker that died left off."""
    recheck.check_site(
        by=User.objects.system("recheck"),
        site=Site.objects.get(pk=site_id),
        day=date.fromisoformat(day),
    )
