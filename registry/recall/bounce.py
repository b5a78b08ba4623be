"""Mails that came back, and the addresses that get none any more because of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from registry.access.models import SiteRecord, User
from registry.core.dictionary import kept

SAID = 500  # characters kept of what a mail server said


class Bounce(SiteRecord):
    """A mail server said that a delivery did not arrive: for good (``hard``), or for now.

    ``fingerprint`` names the message that said so: read twice, it is one bounce.
    """

    site_from = "delivery"
    append_only = True
    web_grants = "SELECT, INSERT"

    delivery = kept(
        models.ForeignKey("recall.Delivery", models.PROTECT, related_name="bounces"), "withhold"
    )
    hard = kept(models.BooleanField(), "withhold", "For good")
    status = kept(models.CharField(max_length=12, blank=True), "withhold", "Status (RFC 3463)")
    said = kept(models.CharField(max_length=SAID, blank=True), "withhold", "What the server said")
    fingerprint = kept(models.CharField(max_length=64), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "fingerprint"], name="bounce_once")
        ]


class MailStop(models.Model):
    """Nothing is sent to this address, since three mails came back for good.

    It ends when somebody says so, with a reason, or when its user gets another address.
    """

    exempt_because: ClassVar[str] = "an address belongs to a person, who may work at several sites"
    web_grants: ClassVar[str] = "SELECT, INSERT, UPDATE"

    address = models.EmailField()
    said = models.CharField(max_length=SAID, blank=True)
    since = models.DateTimeField(auto_now_add=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-since"]
        constraints = [
            models.UniqueConstraint(
                fields=["address"], condition=Q(lifted_at=None), name="mail_stopped_once"
            ),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False) & ~Q(reason=""),
                name="mail_stop_lifted_with_reason",
            ),
        ]
