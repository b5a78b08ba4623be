"""What people hold back: a line until a day, or a participant's recalls until further notice."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.access.models import Site, SiteRecord, User
from registry.core.dictionary import kept
from registry.participants.models import Participant


class Snooze(SiteRecord):
    """Nothing is told of the record ``label``, ``key`` before the day ``until``; then it is again.

    The newest of a record counts.
    """

    site_from = ""
    append_only = True
    web_grants = "SELECT, INSERT"

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    until = kept(models.DateField(), "withhold", "Until")
    because = kept(models.CharField(max_length=200), "withhold", "Reason")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["site", "until"], name="snooze_by_day")]


class RecallStop(SiteRecord):
    """The site is not to be recalled of a participant: somebody said so, with a reason."""

    site_from = "participant"

    participant = kept(
        models.ForeignKey(Participant, models.PROTECT, related_name="recall_stops"), "withhold"
    )
    because = kept(models.CharField(max_length=200), "withhold", "Reason")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")
    lifted_by = kept(
        models.ForeignKey(User, models.PROTECT, null=True, related_name="+"), "withhold"
    )
    lifted_at = kept(models.DateTimeField(null=True), "withhold")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["participant"],
                condition=Q(lifted_at__isnull=True),
                name="recall_stopped_once",
            )
        ]
