"""What calendars were told of a visit: one row for each change of its appointment."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.access.models import SiteRecord
from registry.core.dictionary import kept
from registry.visits.models import Visit

from .calendar import Booking, Told


class Invitation(SiteRecord):
    """One change of a visit's appointment as told: a REQUEST, or a CANCEL of what was told before.

    ``uid`` names the visit to calendars, for life; ``sequence`` counts its changes from 0. A
    CANCEL keeps the time and place that it takes back. Only ``latest`` ever changes: a row is its
    own history.
    """

    site_from = "visit"
    web_grants = "SELECT, INSERT, UPDATE"
    unrecorded = (
        "visit",
        "digest",
        "uid",
        "sequence",
        "cancelled",
        "booked_at",
        "booked_place",
        "latest",
        "at",
    )

    visit = kept(models.ForeignKey(Visit, models.PROTECT, related_name="invitations"), "withhold")
    digest = kept(
        models.OneToOneField("recall.Digest", models.PROTECT, related_name="invitation"),
        "withhold",
    )
    uid = kept(models.CharField(max_length=300), "withhold")
    sequence = kept(models.PositiveIntegerField(), "withhold")
    cancelled = kept(models.BooleanField(), "withhold")
    booked_at = kept(models.DateTimeField(), "withhold", "Booked for")
    booked_place = kept(models.CharField(max_length=120, blank=True), "withhold", "Booked at")
    latest = kept(models.BooleanField(default=True), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")

    class Meta:
        ordering = ["visit", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["visit", "sequence"], name="invitation_once"),
            models.UniqueConstraint(
                fields=["visit"], condition=Q(latest=True), name="invitation_latest_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "visit"],
                condition=Q(latest=True, cancelled=False),
                name="invitation_standing",
            )
        ]

    @property
    def told(self) -> Told:
        """The row as the rule sees it."""
        booking = None if self.cancelled else Booking(self.booked_at, self.booked_place)
        return Told(self.sequence, booking)
