"""Planning a site's recalls and sending them. Doing either twice changes nothing.

Planning is one transaction: the planning row, the ledger, the digest and its deliveries stand
together or not at all. Sending is three steps: a claim that commits, the mail, the stamp. A crash
leaves a claim that expires, and the next tick sends the mail with the same Message-ID; only a
crash between the server's yes and the stamp repeats a mail.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.core import mail
from django.db import IntegrityError, transaction
from django.db.models import (
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.access.roles import Role
from registry.access.scope import scope
from registry.participants.models import Participant
from registry.visits.models import Visit, Visits, participation_ended

from . import letter
from .models import Delivery, Digest, PlanningRun, Recall
from .rules import COMING_UP_DAYS, Facts, Kind, Occasion, due, occasion, sending_moment, standing

logger = logging.getLogger(__name__)

VISIT = Visit._meta.label_lower
RECIPIENTS = (Role.COORDINATOR, Role.INVESTIGATOR)
SMTP_TIMEOUT = 60  # seconds without an answer; far below the life of a claim
# Waits after a temporary failure; after the last one the delivery has failed: a day in all.
WAITS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 120, 240, 480, 480))


@contextmanager
def _at(site: Site, by: User) -> Iterator[None]:
    """The scope and the clock of the one site."""
    with timezone.override(site.zone), scope(by, [site.pk]):
        yield


# -- planning ------------------------------------------------------------------------------------


def plan(*, by: User, site: Site, now: datetime, at_once: bool = False) -> PlanningRun | None:
    """Plan the site's day, once its clock has passed its sending hour (or ``at_once``).

    Writes the day's planning row, a ledger row for each visit due, the digest, and a delivery for
    each recipient. Returns None when it is too early or the day is planned already. Without a
    recipient nothing is told, so it stays due until there is one.
    """
    today = timezone.localdate(now, site.zone)
    if not at_once and now < sending_moment(today, site.sending_hour, site.zone):
        return None
    with _at(site, by):
        if PlanningRun.objects.filter(site=site, day=today).exists():
            return None
        found = list(_due(site, today))
        try:
            with transaction.atomic():
                # Waits for another planner of the same day, and gives way when that one is done.
                run = PlanningRun.objects.create(site=site, day=today, due=len(found))
        except IntegrityError:
            return None
        recipients = list(_recipients(site))
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
            Delivery.objects.bulk_create(
                Delivery(
                    digest=digest,
                    recipient=user,
                    address=user.email,
                    message_id=_message_id(site, digest, user),
                    not_before=timezone.now(),
                )
                for user in recipients
            )
        return run


def _due(site: Site, today: date) -> Iterator[tuple[Visit, Occasion]]:
    """The visits to tell of: one SQL statement finds the candidates, the rule decides."""
    told = Recall.objects.filter(site=site, label=VISIT, key=OuterRef("pk"))
    candidates = (
        _visits(site)
        .not_started()
        .filter(opens_on__lte=today + timedelta(days=COMING_UP_DAYS))
        .annotate(told=ArraySubquery(told.values(key_=Concat("kind", Value(" "), "occurrence"))))
        .order_by()
    )
    for visit in candidates.iterator(chunk_size=2000):
        if one := due(_facts(visit), today, visit.told):
            yield visit, one


def _visits(site: Site) -> Visits:
    """The site's visits, with ``stopped``: the participant may no longer be recalled."""
    stopped = Participant.objects.with_consent().filter(
        Q(contact_stopped=True) | Q(collection_stopped=True), pk=OuterRef("participant")
    )
    return (
        Visit.objects.filter(site=site)
        .select_related("participant")
        .annotate(stopped=Q(Exists(stopped)) | participation_ended("participant"))
    )


def _facts(visit: Visit) -> Facts:
    return Facts(
        opens_on=visit.opens_on,
        closes_on=visit.closes_on,
        attended=visit.attended_on is not None,
        missed=bool(visit.missed_because),
        cancelled=visit.cancelled_on is not None,
        stopped=visit.stopped,  # type: ignore[attr-defined]
    )


def _recipients(site: Site) -> QuerySet[User]:
    """The active coordinators and investigators of the site."""
    return User.objects.filter(
        is_active=True,
        is_system=False,
        memberships__site=site,
        memberships__role__in=RECIPIENTS,
    ).distinct()


def _message_id(site: Site, digest: Digest, user: User) -> str:
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    return f"<recall.{digest.kind}.{digest.day}.{site.prefix}.{user.pk}@{host}>"


# -- sending -------------------------------------------------------------------------------------


def unfinished(*, by: User, site: Site) -> list[int]:
    """The keys of the site's deliveries that are to be sent now."""
    with _at(site, by):
        return list(
            Delivery.objects.filter(site=site)
            .claimable()
            .order_by("pk")
            .values_list("pk", flat=True)
        )


def send(*, by: User, site: Site, delivery_id: int, now: datetime) -> Delivery.State | None:
    """Send one delivery as the facts are ``now``. None when another process has it, or had it.

    Temporary failures put it back with a longer wait each time, permanent ones end it with the
    reason; neither raises.
    """
    claimed_at = _claim(by, site, delivery_id)
    if claimed_at is None:
        return None
    message = _compose(by, site, delivery_id, claimed_at, now)
    if message is None:
        return Delivery.State.CANCELLED
    try:
        message.send()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return _stamp_failure(by, site, delivery_id, claimed_at, error)
    _stamp(
        by,
        site,
        delivery_id,
        claimed_at,
        state=Delivery.State.SENT,
        sent_at=timezone.now(),
        error="",
    )
    return Delivery.State.SENT


def _claim(by: User, site: Site, delivery_id: int) -> datetime | None:
    """Take the delivery, for all to see, before anything is sent."""
    claimed_at = timezone.now()
    with transaction.atomic(durable=True), _at(site, by):
        taken = (
            Delivery.objects.filter(pk=delivery_id)
            .claimable()
            .update(state=Delivery.State.CLAIMED, claimed_at=claimed_at, attempts=F("attempts") + 1)
        )
    return claimed_at if taken else None


def _compose(
    by: User, site: Site, delivery_id: int, claimed_at: datetime, now: datetime
) -> mail.EmailMultiAlternatives | None:
    """The mail as the facts are now, kept as it goes; None, and cancelled, when none is left."""
    with transaction.atomic(durable=True), _at(site, by):
        delivery = Delivery.objects.select_related("digest", "recipient").get(pk=delivery_id)
        today = timezone.localdate(now, site.zone)
        visits = list(_still_due(site, delivery.digest, today))
        if not _recipients(site).filter(pk=delivery.recipient_id).exists():
            reason = _("The recipient is no longer a coordinator or investigator of the site.")
        elif not visits:
            reason = _("Nothing was left to say when the mail was to go.")
        else:
            mine = Delivery.objects.filter(pk=delivery_id, claimed_at=claimed_at)
            rendered = letter.render(letter.write(site, today, visits, delivery.recipient.language))
            mine.update(subject=rendered.subject, text=rendered.text, html=rendered.html)
            return _message(delivery, rendered)
    _stamp(by, site, delivery_id, claimed_at, state=Delivery.State.CANCELLED, error=reason)
    return None


def _still_due(site: Site, digest: Digest, today: date) -> Iterator[tuple[Kind, Visit]]:
    """The visits of a digest whose occasion still holds, with where each stands."""
    told = dict(
        digest.recalls.filter(label=VISIT).values_list(
            "key", Concat("kind", Value(" "), "occurrence")
        )
    )
    for visit in _visits(site).filter(pk__in=told):
        facts = _facts(visit)
        holds = occasion(facts, today)
        if holds and holds.key == told[visit.pk]:
            yield standing(facts, today), visit


def _message(delivery: Delivery, rendered: letter.Rendered) -> mail.EmailMultiAlternatives:
    message = mail.EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        to=[delivery.address],
        headers={"Message-ID": delivery.message_id, "Auto-Submitted": "auto-generated"},
        connection=mail.get_connection(timeout=SMTP_TIMEOUT),
    )
    message.attach_alternative(rendered.html, "text/html")
    return message


def _stamp(by: User, site: Site, delivery_id: int, claimed_at: datetime, **outcome: object) -> None:
    """Write the outcome, unless the claim expired and another process has the delivery now."""
    with transaction.atomic(durable=True), _at(site, by):
        mine = Delivery.objects.filter(
            pk=delivery_id, state=Delivery.State.CLAIMED, claimed_at=claimed_at
        )
        if not mine.update(**outcome):
            logger.error("The claim on recall delivery %s expired while it was sent.", delivery_id)


def _stamp_failure(
    by: User, site: Site, delivery_id: int, claimed_at: datetime, error: Exception
) -> Delivery.State:
    """Back to planned with a longer wait, or failed for good."""
    permanent, reason = judge(error)
    with _at(site, by):
        attempts = Delivery.objects.values_list("attempts", flat=True).get(pk=delivery_id)
    again = not permanent and attempts <= len(WAITS)
    state = Delivery.State.PLANNED if again else Delivery.State.FAILED
    wait = WAITS[attempts - 1] if again else timedelta()
    not_before = timezone.now() + wait
    _stamp(by, site, delivery_id, claimed_at, state=state, error=reason, not_before=not_before)
    return state


def judge(error: Exception) -> tuple[bool, str]:
    """Whether a failure to hand over a mail is for good, and the reason in words.

    A server's 5xx to sender, recipient or data is for good (RFC 5321, 4.2.1), as is an address
    that cannot be written. A 5xx to our greeting or log-in is about us, not about the mail.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return code >= 500, _reason(code, said)
    if isinstance(error, smtplib.SMTPResponseException):
        about_us = isinstance(
            error,
            smtplib.SMTPConnectError | smtplib.SMTPHeloError | smtplib.SMTPAuthenticationError,
        )
        return error.smtp_code >= 500 and not about_us, _reason(error.smtp_code, error.smtp_error)
    permanent = isinstance(error, ValueError | smtplib.SMTPNotSupportedError)
    return permanent, f"{type(error).__name__}: {error}"


def _reason(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {text}"
