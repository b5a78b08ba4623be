"""Sending what was planned. Doing it twice changes nothing.

Sending is three steps: a claim that commits, the mail, the stamp. A crash leaves a claim that
expires, and the next tick sends the mail with the same Message-ID; only a crash between the
server's yes and the stamp repeats a mail.
"""

from __future__ import annotations

import logging
import smtplib
from datetime import datetime, timedelta

from django.core import mail
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site, User

from .. import ics, letter
from ..envelope import charset_of, headers_of
from ..models import Delivery, Digest
from ..signed import pause_link, return_address
from . import inviting
from .bouncing import refused
from .composing import Composition
from .planning import at_site
from .telling import NOTICES, Notices

logger = logging.getLogger(__name__)

SMTP_TIMEOUT = 60  # seconds without an answer; far below the life of a claim
# Waits after a temporary failure; after the last one the delivery has failed: a day in all.
WAITS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 120, 240, 480, 480))


def unfinished(*, by: User, site: Site) -> list[int]:
    """The keys of the site's deliveries that are to be sent now."""
    with at_site(site, by):
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
    with transaction.atomic(durable=True), at_site(site, by):
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
    with transaction.atomic(durable=True), at_site(site, by):
        deliveries = Delivery.objects.select_related("digest__site", "recipient")
        delivery = deliveries.get(pk=delivery_id)
        told, rendered = _written(site, delivery, now)
        if rendered:
            pause = pause_link(delivery.recipient, site)
            rendered = rendered.for_reader(pause)
            mine = Delivery.objects.filter(pk=delivery_id, claimed_at=claimed_at)
            mine.update(
                subject=rendered.subject,
                text=rendered.text,
                html=rendered.html,
                calendar=rendered.calendar.text if rendered.calendar else "",
            )
            return _message(delivery, rendered, pause)
        if told:
            reason = _("Nothing was left to say when the mail was to go.")
        else:
            reason = _("The recipient is no longer told of this at the site.")
    _stamp(by, site, delivery_id, claimed_at, state=Delivery.State.CANCELLED, error=reason)
    return None


def _written(site: Site, delivery: Delivery, now: datetime) -> tuple[bool, letter.Rendered | None]:
    """Whether the recipient is still told of this at the site, and what the mail says, if so."""
    user, digest = delivery.recipient, delivery.digest
    if digest.kind == Digest.Kind.CALENDAR:
        told = user in inviting.invited_at(site)
        return told, inviting.compose(site, delivery, now) if told else None
    composition: Composition | Notices
    if digest.kind in NOTICES:
        composition = Notices(site, digest)
    else:
        composition = Composition(site, digest, timezone.localdate(now, site.zone))
    return bool(composition.told_to(user)), composition.letter_for(user)


def _message(
    delivery: Delivery, rendered: letter.Rendered, pause: str
) -> mail.EmailMultiAlternatives:
    message = mail.EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        from_email=return_address(delivery.pk),
        to=[delivery.address],
        headers=headers_of(delivery, pause),
        connection=mail.get_connection(timeout=SMTP_TIMEOUT),
    )
    message.encoding = charset_of(rendered.text)
    message.attach_alternative(rendered.html, "text/html")
    if rendered.calendar:
        ics.attach(message, rendered.calendar)
    return message


def _stamp(by: User, site: Site, delivery_id: int, claimed_at: datetime, **outcome: object) -> None:
    """Write the outcome, unless the claim expired and another process has the delivery now."""
    with transaction.atomic(durable=True), at_site(site, by):
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
    if permanent and isinstance(error, smtplib.SMTPRecipientsRefused):
        # Before the stamp: after a crash in between, the next try records it, once.
        refused(by=by, site=site, delivery_id=delivery_id, reason=reason)
    with at_site(site, by):
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
