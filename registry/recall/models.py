"""The ledger of recall: what was planned on which day, what was said, and to whom it went."""

from __future__ import annotations

import re
from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.access.models import Site, SiteRecord, SiteRecords, User
from registry.core.dictionary import kept

from .bounce import Bounce as Bounce
from .bounce import MailStop as MailStop
from .invitation import Invitation as Invitation
from .pause import MailPause as MailPause
from .snooze import RecallStop as RecallStop
from .snooze import Snooze as Snooze
from .tuning import KindTuning as KindTuning
from .tuning import SiteTuning as SiteTuning

# A claim older than this belongs to a process that died. Longer than any mail takes to hand over.
CLAIM_LASTS = timedelta(minutes=10)


class PlanningRun(SiteRecord):
    """A site's day was planned: written once, also when nothing was due."""

    site_from = ""
    web_grants = "SELECT, INSERT, UPDATE"
    unrecorded = ("day", "due", "planned_at")

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold", "Site")
    day = kept(models.DateField(), "withhold", "The site's own day")
    due = kept(models.PositiveIntegerField(), "withhold", "Occasions due")
    planned_at = kept(models.DateTimeField(auto_now_add=True), "withhold")

    class Meta:
        ordering = ["-day", "site"]
        constraints = [
            models.UniqueConstraint(fields=["site", "day"], name="recall_planned_once_a_day")
        ]


class Digest(SiteRecord):
    """One mail of a site and day, with a delivery for each recipient.

    ``about`` tells the mails of a kind and day apart, where there may be several.
    """

    class Kind(models.TextChoices):
        DAILY = "daily", _("Daily recall")
        ESCALATION = "escalation", _("Escalation")
        CALENDAR = "calendar", _("Calendar invitation")
        BOUNCES = "bounces", _("Mails that came back")
        NOBODY = "nobody", _("Nobody gets the daily mail")

    site_from = ""
    web_grants = "SELECT, INSERT"

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold", "Site")
    day = kept(models.DateField(), "withhold", "The site's own day")
    kind = kept(
        models.CharField(max_length=12, choices=Kind.choices, default=Kind.DAILY), "withhold"
    )
    about = kept(models.CharField(max_length=60, blank=True), "withhold")

    class Meta:
        ordering = ["-day", "site"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "day", "kind", "about"], name="recall_digest_once_a_day"
            )
        ]

    @property
    def tells(self) -> bool:
        """Whether it is about what waits at the site, and not about mails or calendars."""
        return self.kind in (self.Kind.DAILY, self.Kind.ESCALATION)


class Recall(SiteRecord):
    """The ledger: this occasion of this record was taken into this digest, once for ever.

    ``label`` and ``key`` name the record, ``occurrence`` holds the window's date, so that a
    moved window is a new occasion. A row is never changed; it is its own history.
    """

    site_from = "digest"
    web_grants = "SELECT, INSERT"
    unrecorded = ("digest", "label", "key", "kind", "occurrence")

    digest = kept(models.ForeignKey(Digest, models.PROTECT, related_name="recalls"), "withhold")
    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    kind = kept(models.CharField(max_length=20), "withhold")
    occurrence = kept(models.CharField(max_length=40), "withhold")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["site", "label", "key", "kind", "occurrence"], name="recall_once"
            )
        ]


class Deliveries(SiteRecords):
    """Deliveries, by whether they may be sent now."""

    def claimable(self) -> Deliveries:
        """Those to send: planned and waited long enough, or claimed by a process that died."""
        now = timezone.now()
        return self.filter(
            Q(state=Delivery.State.PLANNED, not_before__lte=now)
            | Q(state=Delivery.State.CLAIMED, claimed_at__lte=now - CLAIM_LASTS)
        )


class Delivery(SiteRecord):
    """A digest on its way to one recipient, and what became of it.

    It goes once (``number`` 1), and again when somebody asks for it and says why (``because``).
    ``message_id`` is derived from the delivery's key, so that a mail that repeats carries the
    same one. ``subject``, ``text``, ``html`` and ``calendar`` are the mail as it went.
    """

    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        CLAIMED = "claimed", _("Sending")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")  # nothing left to say, or nobody to say it to

    site_from = "digest"
    unrecorded = (
        "state",
        "attempts",
        "not_before",
        "claimed_at",
        "sent_at",
        "error",
        "subject",
        "text",
        "html",
        "calendar",
    )

    digest = kept(models.ForeignKey(Digest, models.PROTECT, related_name="deliveries"), "withhold")
    recipient = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    address = kept(models.EmailField(), "withhold")
    number = kept(models.PositiveSmallIntegerField(default=1), "withhold", "Sent for the n-th time")
    because = kept(models.CharField(max_length=200, blank=True), "withhold", "Why it goes again")
    message_id = kept(models.CharField(max_length=200, unique=True), "withhold")
    state = kept(
        models.CharField(max_length=9, choices=State.choices, default=State.PLANNED), "withhold"
    )
    attempts = kept(models.PositiveSmallIntegerField(default=0), "withhold")
    not_before = kept(models.DateTimeField(), "withhold", "Not tried again before")
    claimed_at = kept(models.DateTimeField(null=True), "withhold")
    sent_at = kept(models.DateTimeField(null=True), "withhold")
    error = kept(models.TextField(blank=True), "withhold", "Why it was not sent")
    subject = kept(models.CharField(max_length=200, blank=True), "withhold")
    text = kept(models.TextField(blank=True), "withhold")
    html = kept(models.TextField(blank=True), "withhold")
    calendar = kept(models.TextField(blank=True), "withhold", "Calendar file")

    objects = Deliveries.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["recipient__name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["digest", "recipient", "number"], name="delivery_once")
        ]
        indexes = [
            models.Index(
                fields=["site", "not_before"],
                condition=Q(state__in=["planned", "claimed"]),
                name="delivery_unfinished",
            )
        ]

    @property
    def language(self) -> str:
        """The language in which it went: the site's, or the recipient's at that time."""
        found = re.search(r'<html lang="([\w-]+)"', self.html)
        return found[1] if found else self.recipient.language
