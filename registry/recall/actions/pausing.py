"""Pausing the daily mail of a site, and taking it up again."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from registry.access.models import Site, User

from ..models import MailPause


@transaction.atomic
def pause(*, by: User, user: User, site: Site) -> None:
    """Send ``user`` no daily mail of the site for now. Doing it twice changes nothing.

    Escalations and invitations still go out: they ask for something that nobody else was told of.
    """
    MailPause.objects.get_or_create(site=site, user=user, lifted_at=None, defaults={"by": by})


@transaction.atomic
def resume(*, by: User, site: Site) -> None:
    """Send ``by`` the daily mail of the site again."""
    MailPause.objects.filter(site=site, user=by, lifted_at=None).update(lifted_at=timezone.now())
