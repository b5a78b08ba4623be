"""Taking in what mail servers say of mails that did not arrive. Doing it twice changes nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import StrEnum

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.core.errors import RefusedError

from ..bounce import SAID
from ..models import Bounce, Delivery, MailStop
from ..returned import Finding, Returned, Verdict, grade, one_line, read
from ..signed import deliveries_in
from .planning import at_site

ENOUGH = 3  # mails that came back for good, then nothing more is sent
# About our server or the mail, not about the address: three of these stop nothing.
NOT_THE_ADDRESS = Q(status__startswith="5.6.") | Q(status__startswith="5.7.")
NOT_THE_ADDRESS |= Q(status__in=["5.1.7", "5.1.8"])
REFUSED = "refused at sending"  # the fingerprint of what no message tells


class Outcome(StrEnum):
    """What became of a message."""

    HARD = "hard"
    SOFT = "soft"
    AGAIN = "again"  # read before
    AUTOMATIC = "automatic"  # an out-of-office answer, a receipt: it arrived
    UNKNOWN = "unknown"  # about no delivery of ours, or says nothing that we understand


def take_in(*, by: User, raw: bytes) -> Outcome:
    """Record what one message says, and commit it.

    It counts only with the signed return address or the Message-ID of a delivery in it. No
    message makes it raise.
    """
    returned = read(raw)
    delivery = _delivery_of(by, returned)
    finding = returned.finding
    if delivery is None or finding.verdict == Verdict.UNCLEAR:
        return Outcome.UNKNOWN
    if finding.verdict == Verdict.AUTOMATIC:
        return Outcome.AUTOMATIC
    with transaction.atomic(durable=True), at_site(delivery.site, by):
        new = _record(by, delivery, finding, returned.fingerprint)
    return Outcome(finding.verdict.value) if new else Outcome.AGAIN


def refused(*, by: User, site: Site, delivery_id: int, reason: str) -> None:
    """Record that a server refused the recipient for good while the mail was handed over."""
    with transaction.atomic(durable=True), at_site(site, by):
        delivery = Delivery.objects.get(pk=delivery_id)
        said = one_line(reason)
        finding = Finding(Verdict.HARD, grade("", said).status, said)
        _record(by, delivery, finding, REFUSED)


@transaction.atomic
def mail_again(*, by: User, stop: MailStop, reason: str) -> None:
    """Let mails go to a stopped address again; the count of those that came back begins anew."""
    if not (reason := reason.strip()):
        raise RefusedError(_("Say why mails may go there again."), "reason")
    if len(reason) > 200:
        raise RefusedError(_("At most %(count)s characters.") % {"count": 200}, "reason")
    MailStop.objects.filter(pk=stop.pk, lifted_at=None).update(
        lifted_at=timezone.now(), lifted_by=by, reason=reason
    )


def _delivery_of(by: User, returned: Returned) -> Delivery | None:
    """The delivery that the message proves to know, of whatever site."""
    with _everywhere(by):
        deliveries = Delivery.objects.select_related("site").order_by("pk")
        signed = list(deliveries_in(returned.text))
        return (
            deliveries.filter(pk__in=signed).first()
            or deliveries.filter(message_id__in=returned.message_ids).first()
        )


def _record(by: User, delivery: Delivery, finding: Finding, fingerprint: str) -> bool:
    """Whether the bounce is a new one. The third hard one of an address stops it."""
    # One at a time: of two that come together the second counts the first.
    User.objects.select_for_update(no_key=True).get(pk=delivery.recipient_id)
    bounce, new = Bounce.objects.get_or_create(
        delivery=delivery,
        fingerprint=fingerprint,
        defaults={
            "hard": finding.verdict == Verdict.HARD,
            "status": finding.status,
            "said": finding.said[:SAID],
        },
    )
    if new and bounce.hard:
        _stop_if_enough(by, delivery.address, bounce.said)
    return new


def _stop_if_enough(by: User, address: str, said: str) -> None:
    """An address is one at every site; a delivery counts once, however often it comes back."""
    lifted_at = MailStop.objects.filter(address=address).aggregate(last=Max("lifted_at"))["last"]
    with _everywhere(by):
        hard = Bounce.objects.filter(delivery__address=address, hard=True).exclude(NOT_THE_ADDRESS)
        if lifted_at:
            hard = hard.filter(at__gt=lifted_at)
        enough = hard.values("delivery").distinct().count() >= ENOUGH
    if enough:
        MailStop.objects.get_or_create(address=address, lifted_at=None, defaults={"said": said})


def _everywhere(by: User) -> AbstractContextManager[None]:
    return scope(by, Site.objects.values_list("pk", flat=True))
