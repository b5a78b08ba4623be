"""A copy of a site's own data, made for one of its investigators."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.access.models import Site, SiteRecord, User
from registry.core.dictionary import kept


class SiteCopy(SiteRecord):
    """One copy, identities included: stored encrypted, for who asked, and only for a day.

    Only a ``ready`` one has a file, and a key to open it. Its history tells who asked and what
    became of it; downloads are looks at it.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting to be built")
        BUILDING = "building", _("Being built")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")
        DELETED = "deleted", _("Deleted")

    UNFINISHED = (State.QUEUED, State.BUILDING)
    LASTS = timedelta(hours=24)

    site_from = ""
    web_grants = "SELECT, INSERT, UPDATE"
    unrecorded = (
        "stage",
        "rows_done",
        "rows_expected",
        "manifest",
        "stored_as",
        "wrapped_key",
        "sha256",
        "size",
    )

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    state = kept(
        models.CharField(max_length=10, choices=State.choices, default=State.QUEUED), "withhold"
    )
    asked_by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    asked_at = kept(models.DateTimeField(auto_now_add=True), "withhold")
    started_at = kept(models.DateTimeField(null=True), "withhold")
    finished_at = kept(models.DateTimeField(null=True), "withhold")
    expires_at = kept(models.DateTimeField(null=True), "withhold")
    stage = kept(models.CharField(max_length=100, blank=True), "withhold")
    rows_done = kept(models.PositiveBigIntegerField(default=0), "withhold")
    rows_expected = kept(models.PositiveBigIntegerField(null=True), "withhold")
    error = kept(models.TextField(blank=True), "withhold")
    manifest = kept(models.JSONField(default=dict), "withhold")
    stored_as = kept(models.CharField(max_length=200, blank=True), "withhold")
    wrapped_key = kept(models.BinaryField(null=True), "withhold")
    sha256 = kept(models.CharField(max_length=64, blank=True), "withhold")
    size = kept(models.PositiveBigIntegerField(null=True), "withhold")

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="ready")
                | Q(wrapped_key__isnull=False, expires_at__isnull=False)
                & ~Q(stored_as="")
                & ~Q(sha256=""),
                name="site_copy_ready_has_file",
            ),
            models.CheckConstraint(
                condition=Q(state="ready") | Q(wrapped_key__isnull=True),
                name="site_copy_key_only_while_ready",
            ),
        ]

    @property
    def place(self) -> str:
        """What its key and its chunks are sealed for."""
        return f"exports_sitecopy.file.{self.pk}"

    @property
    def unfinished(self) -> bool:
        return self.state in self.UNFINISHED

    @property
    def available(self) -> bool:
        """Whether there is a file to fetch; also before the sweep has come by."""
        return bool(
            self.state == self.State.READY and self.expires_at and self.expires_at > timezone.now()
        )
