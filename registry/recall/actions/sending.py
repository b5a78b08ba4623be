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
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site, User

from .. import letter
from ..models import Delivery, Digest
from .claims import Claim
from .composing import Composition
from .planning import at_site

logger = logging.getLogger(__name__)

BATCH = 20  # mails claimed at once: so many come late when their sender dies
SMTP_TIMEOUT = 60  # seconds without an answer
# No mail goes with older facts than these. Together with the slowest mail (seven answers to
# connect, or five to hand over) it stays below the life of a claim.
FACTS_HOLD = timedelta(seconds=30)
# Waits after a temporary failure; after the last one the delivery has failed: a day in all.
WAITS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 120, 240, 480, 480))

State = Delivery.State
Outcome = dict[str, Any]  # what is written of a delivery: column → value


def unfinished(*, by: User, site: Site) -> list[int]:
    """The keys of the site's deliveries that are to be sent now."""
    with at_site(site, by):
        return list(
            Delivery.objects.filter(site=site)
            .claimable()
            .order_by("pk")
            .values_list("pk", flat=True)
        )


def send(*, by: User, site: Site, keys: Collection[int], now: datetime) -> dict[int, State]:
    """Send those of the site's deliveries ``keys`` that wait, as the facts are ``now``.

    Returns what became of each. Left out are those that another process has or had, and those put
    back unsent because the server is too slow for all of them. Temporary failures put a delivery
    back with a longer wait each time, permanent ones end it with the reason; neither raises.
    """
    claim = Claim(by, site, timezone.now())
    written, states = _claim(claim, keys, timezone.localdate(now, site.zone))
    waiting = deque(written)
    with closing(mail.get_connection(timeout=SMTP_TIMEOUT)) as post:
        while waiting:
            try:
                post.open()
            except Exception as error:
                for delivery, _rendered in waiting:  # none would fare better
                    states[delivery.pk] = _stamp(claim, delivery, _failed(delivery, *judge(error)))
                break
            if timezone.now() > claim.made_at + FACTS_HOLD:
                claim.stamp([delivery for delivery, _rendered in waiting], state=State.PLANNED)
                break
            delivery, rendered = waiting.popleft()
            outcome = _hand_over(delivery, rendered, post)
            states[delivery.pk] = _stamp(claim, delivery, outcome)
    return states


def _claim(
    claim: Claim, keys: Collection[int], today: date
) -> tuple[list[tuple[Delivery, letter.Rendered]], dict[int, State]]:
    """Claim what waits and keep each mail as it will go, for all to see before it does.

    Returns the mails, and the states of the deliveries that get none.
    """
    written: list[tuple[Delivery, letter.Rendered]] = []
    states: dict[int, State] = {}
    compose = cache(lambda digest: _compose(claim.site, digest, today))
    with transaction.atomic(durable=True), at_site(claim.site, claim.by):
        for delivery in claim.waiting(keys):
            found = _write(delivery, compose)
            if isinstance(found, letter.Rendered):
                written.append((delivery, found))
            else:
                Delivery.objects.filter(pk=delivery.pk).update(**found)
                states[delivery.pk] = found["state"]
        for rendered in {rendered for _delivery, rendered in written}:
            claim.take(
                [delivery for delivery, its in written if its == rendered],
                subject=rendered.subject,
                text=rendered.text,
                html=rendered.html,
            )
    return written, states


def _compose(site: Site, digest: Digest, today: date) -> Composition:
    """What a digest says as the facts are now: read once, written once for each kind of reader."""
    return Composition(site, digest, today)


def _write(
    delivery: Delivery, compose: Callable[[Digest], Composition]
) -> letter.Rendered | Outcome:
    """The mail of a delivery; where there is none, the delivery's outcome."""
    try:
        composition = compose(delivery.digest)
        rendered = composition.letter_for(delivery.recipient)
    except DatabaseError:
        raise  # the claim's transaction is lost
    except Exception as error:
        logger.exception("Recall delivery %s cannot be written.", delivery.pk)
        return _failed(delivery, permanent=False, reason=f"{type(error).__name__}: {error}")
    if rendered:
        return rendered
    if composition.told_to(delivery.recipient):
        reason = _("Nothing was left to say when the mail was to go.")
    else:
        reason = _("The recipient is no longer told of this at the site.")
    return {"state": State.CANCELLED, "error": reason}


def _hand_over(delivery: Delivery, rendered: letter.Rendered, post: BaseEmailBackend) -> Outcome:
    try:
        message = _message(delivery, rendered)
        message.connection = post
        message.send()
    except Exception as error:
        if not _takes_the_next(error):
            with suppress(OSError):
                post.close()
        return _failed(delivery, *judge(error))
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


def _message(delivery: Delivery, rendered: letter.Rendered) -> mail.EmailMultiAlternatives:
    message = mail.EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        to=[delivery.address],
        headers={"Message-ID": delivery.message_id, "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(rendered.html, "text/html")
    return message


def _stamp(claim: Claim, delivery: Delivery, outcome: Outcome) -> State:
    claim.stamp([delivery], **outcome)
    state: State = outcome["state"]
    return state


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
