"""Inviting a site's coordinators to booked visits. Doing it twice changes nothing.

What calendars were told is compared with what is booked. Each change is a row of its own with a
digest, whose deliveries go like any other's. Mails about one visit go in order: a change is
written down when no mail about the one before is on its way, and takes the place of those that
have not left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.db.models import Exists, FilteredRelation, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.access.roles import Role
from registry.visits.models import Visit, Visits

from .. import notice
from ..calendar import Booking, Told, change
from ..envelope import host
from ..letter import Rendered
from ..models import Deliveries, Delivery, Digest, Invitation
from ..topics import followed
from ..tuning import tuning_of
from .planning import at_site, deliver, recipients_of


@dataclass(frozen=True)
class Found:
    """What is to be told of a visit, after what was told ``last``, if anything."""

    visit: Visit
    last: Invitation | None
    told: Told


def invite(*, by: User, site: Site, now: datetime) -> int:
    """Write down what calendars are to be told of the site's visits, with the deliveries.

    Returns how many changes. Without a coordinator nobody is invited until there is one. A change
    whose forerunner is being sent waits for the next call.
    """
    with at_site(site, by):
        found = list(_changes(site, now))
        if not found:
            return 0
        try:
            with transaction.atomic():
                return _write(site, found, timezone.localdate(now, site.zone))
        except IntegrityError:
            return 0  # somebody else was writing it at this moment


def compose(site: Site, delivery: Delivery, now: datetime) -> Rendered | None:
    """The mail of a delivery; None when the appointment is not so any more, or has passed."""
    invitation = Invitation.objects.get(digest=delivery.digest_id)
    invitation.visit = visit = _visits(site).get(pk=invitation.visit_id)
    if not invitation.latest or change(invitation.told, _booking(visit), now):
        return None
    earlier = Delivery.objects.filter(
        recipient=delivery.recipient_id,
        digest__invitation__visit=visit,
        digest__invitation__sequence__lt=invitation.sequence,
    )
    known = (visit.pk, delivery.recipient_id) in _informed(earlier)
    if not known and invitation.booked_at <= now:
        return None
    tuning = tuning_of(site)
    written = notice.write(
        site,
        invitation,
        known=known,
        language=tuning.language or delivery.recipient.language,
        counts_only=tuning.counts_only,
    )
    return notice.render(written, invitation, delivery.address)


def invited_at(site: Site) -> list[User]:
    """The active coordinators of the site: who is told of its appointments."""
    return [user for user, roles in recipients_of(site).items() if Role.COORDINATOR in roles]


def _changes(site: Site, now: datetime) -> Iterator[Found]:
    """What is to be told: one SQL statement finds the candidates, the rule decides."""
    ahead = Visit.objects.not_started().filter(site=site, booked_at__gt=now)
    standing = Invitation.objects.filter(site=site, latest=True, cancelled=False)
    candidates = (
        _visits(site)
        .filter(pk__in=ahead.order_by().values("pk").union(standing.order_by().values("visit")))
        .annotate(last=FilteredRelation("invitations", condition=Q(invitations__latest=True)))
        .select_related("last")
        .order_by("pk")
    )
    for visit in candidates.iterator(chunk_size=2000):
        last = getattr(visit, "last", None)  # set only where there is one
        if told := change(last and last.told, _booking(visit), now):
            yield Found(visit, last, told)


def _visits(site: Site) -> Visits:
    """The site's visits, with ``stopped``: their participant withdrew, left the study or died.

    A site that does not want to be recalled of somebody still has the appointment.
    """
    going_on = followed().filter(pk=OuterRef("participant"))
    visits = Visit.objects.filter(site=site).select_related("participant")
    return visits.annotate(stopped=~Exists(going_on))


def _booking(visit: Visit) -> Booking | None:
    """The visit's appointment, unless nobody is to come to it."""
    settled = visit.attended_on or visit.missed_because or visit.cancelled_on
    if visit.booked_at is None or settled or visit.stopped:  # type: ignore[attr-defined]
        return None
    return Booking(visit.booked_at, visit.booked_place)


def _write(site: Site, found: Sequence[Found], today: date) -> int:
    written = 0
    found = _in_order(found)
    coordinators = invited_at(site)
    visits = [one.visit.pk for one in found]
    informed = _informed(Delivery.objects.filter(digest__invitation__visit__in=visits))
    for one in found:
        # Only what was told is taken back.
        users = [
            user for user in coordinators if one.told.booking or (one.visit.pk, user.pk) in informed
        ]
        if users or not one.told.booking:
            deliver(_digest(site, today, one), users)
            written += 1
    return written


def _in_order(found: Sequence[Found]) -> list[Found]:
    """Those that may be told now. Mails about the same visits that have not left never will."""
    earlier = Delivery.objects.filter(digest__in=[one.last.digest_id for one in found if one.last])
    earlier.filter(state=Delivery.State.PLANNED).update(
        state=Delivery.State.CANCELLED, error=_("The appointment changed before the mail was sent.")
    )
    claimed = earlier.filter(state=Delivery.State.CLAIMED).values_list("digest", flat=True)
    leaving = set(claimed)
    return [one for one in found if not (one.last and one.last.digest_id in leaving)]


def _informed(deliveries: Deliveries) -> set[tuple[int, int]]:
    """Visit and user (keys): in whose calendar it may stand, by the last mail that was tried.

    A refusal is no proof: a server may have taken the mail and then failed.
    """
    tried = deliveries.exclude(text="").order_by("digest__invitation__sequence")
    last = {
        (visit, user): cancelled
        for visit, user, cancelled in tried.values_list(
            "digest__invitation__visit", "recipient", "digest__invitation__cancelled"
        )
    }
    return {pair for pair, cancelled in last.items() if not cancelled}


def _digest(site: Site, today: date, found: Found) -> Digest:
    """Write down one change; the digest that tells it."""
    last, booking = found.last, found.told.booking
    uid = last.uid if last else f"visit-{uuid4()}@{host()}"
    about = f"{uid.partition('@')[0]}#{found.told.sequence}"
    digest = Digest.objects.create(site=site, day=today, kind=Digest.Kind.CALENDAR, about=about)
    row = Invitation(visit=found.visit, digest=digest, uid=uid, sequence=found.told.sequence)
    row.cancelled = booking is None
    if booking:
        row.booked_at, row.booked_place = booking.at, booking.place
    elif last:
        row.booked_at, row.booked_place = last.booked_at, last.booked_place
    if last:
        Invitation.objects.filter(pk=last.pk).update(latest=False)
    row.save()
    return digest
