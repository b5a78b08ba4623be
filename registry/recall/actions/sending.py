"""Sending what was planned. Doing it twice changes nothing.

A batch of a site's mails is claimed and written in one transaction, which commits before anything
goes. Then they go one after the other over one connection, each stamped right after the server's
answer. A crash leaves claims that expire, and a later tick sends those mails with the same
Message-ID; only a crash between the server's yes and the stamp repeats a mail, the one in flight.
"""

from __future__ import annotations

import logging
import smtplib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, partial
from math import ceil
from typing import Any

from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site, User

from .. import ics, letter
from ..envelope import FlatMail, charset_of, headers_of
from ..models import Delivery, Digest
from ..signed import pause_link, return_address
from . import inviting
from .bouncing import refused
from .claims import Claim
from .composing import Composition
from .planning import at_site
from .telling import NOTICES, Notices

logger = logging.getLogger(__name__)

BATCH = 50  # mails claimed at once: most digests have fewer readers, and so are read once
SMTP_TIMEOUT = 60  # seconds without an answer
# No mail goes with older facts than these. Together with the slowest mail (seven answers to
# connect, or five to hand over) it stays below the life of a claim.
FACTS_HOLD = timedelta(seconds=30)
# Waits after a temporary failure; after the last one the delivery has failed: a day in all.
WAITS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 120, 240, 480, 480))

State = Delivery.State
Outcome = dict[str, Any]  # what is written of a delivery: column → value
Part = tuple[Site, Collection[int]]  # deliveries of a site, by their keys
UNWRITTEN = {"subject": "", "text": "", "html": "", "calendar": ""}


@dataclass
class Batch:
    """What was claimed: the mails as they will go, and the states of deliveries that get none."""

    claim: Claim
    written: deque[tuple[Delivery, FlatMail]] = field(default_factory=deque)
    states: dict[int, State] = field(default_factory=dict)


def unfinished(*, by: User, site: Site) -> list[int]:
    """The keys of the site's deliveries that are to be sent now."""
    with at_site(site, by):
        return list(
            Delivery.objects.filter(site=site)
            .claimable()
            .order_by("pk")
            .values_list("pk", flat=True)
        )


def batches(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    """``keys`` in portions that are claimed together, of one size.

    Each is written while the one before is sent: a short one would not last as long.
    """
    all_, number = len(keys), ceil(len(keys) / BATCH)
    return (keys[all_ * n // number : all_ * (n + 1) // number] for n in range(number))


def send(
    *,
    by: User,
    waiting: Iterable[Part],
    now: datetime,
    ahead: Callable[[Callable[[Part], Batch], Iterable[Part]], Iterator[Batch]] = map,
) -> dict[int, State]:
    """Send those deliveries of ``waiting`` that still wait, as the facts are ``now``.

    Each part is claimed at once, with :func:`.one_ahead` while the one before is sent. Returns what
    became of each delivery. Left out are those that another process has or had, and those put
    back unsent because the server was too slow for all. Temporary failures put a delivery back
    with a longer wait each time, permanent ones end it with the reason; neither raises.
    """
    states: dict[int, State] = {}
    with closing(mail.get_connection(timeout=SMTP_TIMEOUT)) as post:
        for batch in ahead(partial(_claim, by, now), waiting):
            _send(batch, post)
            states |= batch.states
    return states


def _claim(by: User, now: datetime, part: Part) -> Batch:
    """Claim what waits and keep each mail as it will go, for all to see before it does."""
    site, keys = part
    batch = Batch(Claim(by, site, timezone.now()))
    composition = cache(partial(_composition, site, timezone.localdate(now, site.zone)))
    try:
        with transaction.atomic(durable=True), at_site(site, by):
            for delivery in batch.claim.waiting(keys):
                compose = partial(_compose, site, delivery, now, composition)
                outcome, message = _write(delivery, compose, batch.claim)
                Delivery.objects.filter(pk=delivery.pk).update(**outcome)
                if message:
                    batch.written.append((delivery, message))
                else:
                    batch.states[delivery.pk] = outcome["state"]
    except DatabaseError:
        # One site's trouble keeps no other from its mail; the next tick tries again.
        logger.exception("The recalls of site %s cannot be claimed.", site.prefix)
        return Batch(batch.claim)
    return batch


def _write(
    delivery: Delivery, compose: Callable[[], tuple[bool, letter.Rendered | None]], claim: Claim
) -> tuple[Outcome, FlatMail | None]:
    """The delivery's mail, if there is one, and what to write of the delivery."""
    try:
        told, rendered = compose()
    except DatabaseError:
        raise  # the transaction is lost
    except Exception as error:
        logger.exception("Recall delivery %s cannot be written.", delivery.pk)
        return _failed(delivery, permanent=False, reason=f"{type(error).__name__}: {error}"), None
    if not rendered:
        if told:
            reason = _("Nothing was left to say when the mail was to go.")
        else:
            reason = _("The recipient is no longer told of this at the site.")
        return {"state": State.CANCELLED, "error": reason}, None
    try:
        message = _message(delivery, rendered)
    except Exception as error:
        return _failed(delivery, *judge(error)), None
    return {
        "state": State.CLAIMED,
        "claimed_at": claim.made_at,
        "subject": rendered.subject,
        "text": rendered.text,
        "html": rendered.html,
        "calendar": rendered.calendar.text if rendered.calendar else "",
    }, message


def _compose(
    site: Site,
    delivery: Delivery,
    now: datetime,
    composition: Callable[[Digest], Composition | Notices],
) -> tuple[bool, letter.Rendered | None]:
    """Whether the recipient is still told of this at the site, and what the mail says, if so.

    ``composition`` reads a digest's facts once for all its recipients.
    """
    user = delivery.recipient
    if delivery.digest.kind == Digest.Kind.CALENDAR:
        told = user in inviting.invited_at(site)
        return told, inviting.compose(site, delivery, now) if told else None
    composed = composition(delivery.digest)
    rendered = composed.letter_for(user)
    return bool(composed.told_to(user)), rendered and rendered.for_reader(pause_link(user, site))


def _composition(site: Site, today: date, digest: Digest) -> Composition | Notices:
    return Notices(site, digest) if digest.kind in NOTICES else Composition(site, digest, today)


def _send(batch: Batch, post: BaseEmailBackend) -> None:
    """Hand over a batch's mails, and note what became of each."""
    claim, waiting = batch.claim, batch.written
    while waiting:
        try:
            post.open()
        except Exception as error:
            for delivery, _mail in waiting:  # none would fare better
                _stamp(batch, delivery, _failed(delivery, *judge(error)))
            break
        if timezone.now() > claim.made_at + FACTS_HOLD:
            for delivery, _mail in waiting:
                # A text says that the mail was tried, and so one of an earlier try stays.
                claim.stamp([delivery], state=State.PLANNED, **{} if delivery.text else UNWRITTEN)
            break
        delivery, message = waiting.popleft()
        _stamp(batch, delivery, _hand_over(claim, delivery, message, post))


def _stamp(batch: Batch, delivery: Delivery, outcome: Outcome) -> None:
    batch.claim.stamp([delivery], **outcome)
    batch.states[delivery.pk] = outcome["state"]


def _hand_over(
    claim: Claim, delivery: Delivery, message: FlatMail, post: BaseEmailBackend
) -> Outcome:
    try:
        message.connection = post
        message.send()
    except Exception as error:
        if not _takes_the_next(error):
            with suppress(OSError):
                post.close()
        permanent, reason = judge(error)
        if permanent and isinstance(error, smtplib.SMTPRecipientsRefused):
            # Before the stamp: after a crash in between, the next try records it, once.
            refused(by=claim.by, site=claim.site, delivery_id=delivery.pk, reason=reason)
        return _failed(delivery, permanent, reason)
    return {
        "state": State.SENT,
        "attempts": delivery.attempts + 1,
        "sent_at": timezone.now(),
        "error": "",
    }


def _takes_the_next(error: Exception) -> bool:
    """Whether the connection still serves: a recipient was refused, and smtplib has said RSET.

    421 is the server's good-bye.
    """
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code != 421 for code, _said in error.recipients.values()
    )


def _message(delivery: Delivery, rendered: letter.Rendered) -> FlatMail:
    message = FlatMail(
        subject=rendered.subject,
        body=rendered.text,
        from_email=return_address(delivery.pk),
        to=[delivery.address],
        headers=headers_of(delivery, pause_link(delivery.recipient, delivery.digest.site)),
    )
    message.encoding = charset_of(rendered.text)
    message.attach_alternative(rendered.html, "text/html")
    if rendered.calendar:
        ics.attach(message, rendered.calendar)
    message.flatten()
    return message


def _failed(delivery: Delivery, permanent: bool, reason: str) -> Outcome:
    """Back to planned with a longer wait, or failed for good."""
    attempts = delivery.attempts + 1
    outcome: Outcome = {"attempts": attempts, "error": reason}
    if permanent or attempts > len(WAITS):
        return outcome | {"state": State.FAILED}
    not_before = timezone.now() + WAITS[attempts - 1]
    return outcome | {"state": State.PLANNED, "not_before": not_before}


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
