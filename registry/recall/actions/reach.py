"""Whom mails reach: not an address that is stopped, and daily ones not who paused them."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from registry.access.models import Site, User

from ..models import MailPause, MailStop


def reachable(users: QuerySet[User]) -> QuerySet[User]:
    """Those of ``users`` who are active, with an address that mails are sent to."""
    stops = MailStop.objects.filter(address=OuterRef("email"), lifted_at=None)
    return users.filter(~Exists(stops), is_active=True, is_system=False)


def paused_at(site: Site) -> frozenset[int]:
    """The keys of the users who have paused the daily mail of the site."""
    pauses = MailPause.objects.filter(site=site, lifted_at=None)
    return frozenset(pauses.values_list("user", flat=True))
