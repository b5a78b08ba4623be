"""Whom mails reach: not an address that is stopped, and daily ones not who paused them."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from registry.access.models import Site, User
from registry.access.roles import Role

from ..models import MailPause, MailStop


def reachable(users: QuerySet[User]) -> QuerySet[User]:
    """Those of ``users`` who are active, with an address that mails are sent to."""
    stops = MailStop.objects.filter(address=OuterRef("email"), lifted_at=None)
    return users.filter(~Exists(stops), is_active=True, is_system=False)


def paused_at(site: Site) -> frozenset[int]:
    """The keys of the users who have paused the daily mail of the site."""
    pauses = MailPause.objects.filter(site=site, lifted_at=None)
    return frozenset(pauses.values_list("user", flat=True))


def left_out(site: Site) -> list[tuple[User, str]]:
    """The coordinators and investigators who get no daily mail of the site, each with the reason.

    Call it in the scope of the site.
    """
    roles = (Role.COORDINATOR, Role.INVESTIGATOR)
    here = User.objects.filter(memberships__site=site, memberships__role__in=roles, is_active=True)
    reached = frozenset(reachable(here).values_list("pk", flat=True))
    paused = paused_at(site)
    return [
        (user, "paused" if user.pk in reached else "mails came back")
        for user in here.distinct()
        if user.pk in paused or user.pk not in reached
    ]
