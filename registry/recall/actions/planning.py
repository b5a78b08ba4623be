"""Planning a site's recalls. Doing it twice changes nothing.

One transaction: the planning row, the ledger, the digest and its deliveries stand together or not
at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, QuerySet, Value
from django.db.models.functions import Concat
from django.utils import timezone

from registry.access.models import Site, User
from registry.access.roles import Role
from registry.visits.models import Visit

from ..models import Delivery, Digest, PlanningRun, Recall
from ..rules import COMING_UP_DAYS, Occasion, due, sending_moment
from .facts import VISIT, at_site, facts_of, visits_of

# Who gets which mail of a site.
RECIPIENTS = {
    Digest.Kind.DAILY: (Role.COORDINATOR, Role.INVESTIGATOR),
    Digest.Kind.CALENDAR: (Role.COORDINATOR,),
}


def plan(*, by: User, site: Site, now: datetime, at_once: bool = False) -> PlanningRun | None:
    """Plan the site's day, once its clock has passed its sending hour (or ``at_once``).

    Writes the day's planning row, a ledger row for each visit due, the digest, and a delivery for
    each recipient. Returns None when it is too early or the day is planned already. Without a
    recipient nothing is told, so it stays due until there is one.
    """
    today = timezone.localdate(now, site.zone)
    if not at_once and now < sending_moment(today, site.sending_hour, site.zone):
        return None
    with at_site(site, by):
        if PlanningRun.objects.filter(site=site, day=today).exists():
            return None
        found = list(_due(site, today))
        try:
            with transaction.atomic():
                # Waits for another planner of the same day, and gives way when that one is done.
                run = PlanningRun.objects.create(site=site, day=today, due=len(found))
        except IntegrityError:
            return None
        recipients = list(recipients_of(site, Digest.Kind.DAILY))
        if found and recipients:
            digest = Digest.objects.create(site=site, day=today)
            Recall.objects.bulk_create(
                (
                    Recall(
                        digest=digest,
                        label=VISIT,
                        key=visit.pk,
                        kind=one.kind,
                        occurrence=one.occurrence,
                    )
                    for visit, one in found
                ),
                batch_size=1000,
                ignore_conflicts=True,
            )
            deliver(digest, recipients)
        return run


def _due(site: Site, today: date) -> Iterator[tuple[Visit, Occasion]]:
    """The visits to tell of: one SQL statement finds the candidates, the rule decides."""
    told = Recall.objects.filter(site=site, label=VISIT, key=OuterRef("pk"))
    candidates = (
        visits_of(site)
        .not_started()
        .filter(opens_on__lte=today + timedelta(days=COMING_UP_DAYS))
        .annotate(told=ArraySubquery(told.values(key_=Concat("kind", Value(" "), "occurrence"))))
        .order_by()
    )
    for visit in candidates.iterator(chunk_size=2000):
        if one := due(facts_of(visit), today, visit.told):
            yield visit, one


def deliver(digest: Digest, users: Iterable[User]) -> None:
    """A delivery of the digest to each of ``users``."""
    Delivery.objects.bulk_create(
        Delivery(
            digest=digest,
            recipient=user,
            address=user.email,
            message_id=_message_id(digest, user),
            not_before=timezone.now(),
        )
        for user in users
    )


def _message_id(digest: Digest, user: User) -> str:
    about = f"{digest.about}." if digest.about else ""
    return f"<recall.{digest.kind}.{digest.day}.{digest.site.prefix}.{about}{user.pk}@{host()}>"


def host() -> str:
    """The registry's own name, in what must be unique in the world."""
    return urlsplit(settings.SITE_URL).hostname or "localhost"


def recipients_of(site: Site, kind: str) -> QuerySet[User]:
    """The active users of the site who get its mails of a kind."""
    return User.objects.filter(
        is_active=True,
        is_system=False,
        memberships__site=site,
        memberships__role__in=RECIPIENTS[Digest.Kind(kind)],
    ).distinct()
