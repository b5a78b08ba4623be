"""Telling that mails do not arrive: to data managers what came back, and that nobody is left.

Planned and sent through the ledger like every mail: each bounce and each pause is told once for
ever, and a site has at most one mail of a kind a day. What comes after it is told the next day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TypeVar

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from registry.access.models import Site, User
from registry.access.roles import SITE_ROLES, Role

from .. import trouble
from ..letter import Rendered, absolute
from ..models import Bounce, Digest, MailPause, MailStop, Recall
from ..tuning import tuning_of
from .planning import at_site, deliver, mail_of, recipients_of
from .reach import paused_at, reachable

Row = TypeVar("Row", bound=models.Model)

NOTICES = (Digest.Kind.BOUNCES, Digest.Kind.NOBODY)


def tell(*, by: User, site: Site, now: datetime) -> None:
    """Plan the mails about mails that are due now. Doing it twice changes nothing.

    What there is nobody to tell of stays to be told.
    """
    with at_site(site, by):
        today = timezone.localdate(now, site.zone)
        bounces = list(_untold(_current(Bounce.objects.filter(site=site, hard=True))))
        if bounces:
            back = {bounce.delivery.address for bounce in bounces}
            managers = _managers().exclude(email__in=back)  # a mail would come back like those
            _plan(site, today, Digest.Kind.BOUNCES, bounces, managers)
        pauses = list(_untold(MailPause.objects.filter(site=site, lifted_at=None)))
        if pauses and not has_readers(site):
            _plan(site, today, Digest.Kind.NOBODY, pauses, _in_charge(site))


def has_readers(site: Site) -> bool:
    """Whether anybody who works at the site gets its daily mail."""
    tuning, paused = tuning_of(site), paused_at(site)
    return any(
        mail_of(kind) == Digest.Kind.DAILY
        for user, roles in recipients_of(site).items()
        if user.pk not in paused
        for role in roles & SITE_ROLES
        for kind in tuning.told_to(role)
    )


def _current(bounces: QuerySet[Bounce]) -> QuerySet[Bounce]:
    """Those of addresses that are still somebody's."""
    current = Q(delivery__address=F("delivery__recipient__email"))
    return bounces.filter(current, delivery__recipient__is_active=True)


def _untold(rows: QuerySet[Row]) -> QuerySet[Row]:
    told = Recall.objects.filter(label=rows.model._meta.label_lower, key=OuterRef("pk"))
    return rows.filter(~Exists(told))


def _managers() -> QuerySet[User]:
    return reachable(User.objects.filter(memberships__role=Role.DATA_MANAGER)).distinct()


def _in_charge(site: Site) -> QuerySet[User]:
    """The site's investigators, also those who paused; the data managers where it has none."""
    here = User.objects.filter(memberships__site=site, memberships__role=Role.INVESTIGATOR)
    investigators = reachable(here).distinct()
    return investigators if investigators.exists() else _managers()


def _plan(
    site: Site, today: date, kind: str, rows: Iterable[models.Model], users: QuerySet[User]
) -> None:
    if not users:
        return
    digest, new = Digest.objects.get_or_create(site=site, day=today, kind=kind)
    if new:
        Recall.objects.bulk_create(
            Recall(digest=digest, label=row._meta.label_lower, key=row.pk, kind=kind)
            for row in rows
        )
        deliver(digest, users)


class Notices:
    """A digest about mails, as the facts are when it goes; the same for everybody it is told."""

    def __init__(self, site: Site, digest: Digest) -> None:
        self.site, self.digest = site, digest

    def told_to(self, user: User) -> bool:
        told = self.digest.kind == Digest.Kind.BOUNCES
        return (_managers() if told else _in_charge(self.site)).filter(pk=user.pk).exists()

    def letter_for(self, user: User) -> Rendered | None:
        """What ``user`` gets; None when nothing is left to say to them."""
        if not self.told_to(user):
            return None
        if self.digest.kind == Digest.Kind.NOBODY:
            if has_readers(self.site):
                return None
            return self._render(user, "recalls")
        troubles = tuple(self._troubles())
        return self._render(user, "mail_stops", troubles) if troubles else None

    def _render(
        self, user: User, page: str, troubles: tuple[trouble.Trouble, ...] = ()
    ) -> Rendered:
        link = absolute(reverse(page))
        kind = self.digest.kind
        return trouble.render(trouble.Notice(kind, self.site.name, link, user.language, troubles))

    def _troubles(self) -> Iterable[trouble.Trouble]:
        """One for each address, with what was said last."""
        told = self.digest.recalls.values("key")
        bounces = _current(Bounce.objects.filter(pk__in=told)).select_related("delivery__recipient")
        last = {bounce.delivery.address: bounce for bounce in bounces.order_by("pk")}
        stopped = set(
            MailStop.objects.filter(address__in=last, lifted_at=None).values_list(
                "address", flat=True
            )
        )
        for address, bounce in last.items():
            name = bounce.delivery.recipient.name
            yield trouble.Trouble(name, address, bounce.said, address in stopped)
