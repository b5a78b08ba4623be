"""History, and looks at what is worth protecting. Both are append-only for every role."""

from __future__ import annotations

from django.db import models

from registry.access.models import Site, SiteRecord, User
from registry.core.dictionary import kept


class Change(models.Model):
    """One insert, update or delete of one row, written by trigger only.

    ``changes`` maps each changed column to ``[old, new]``. ``at`` is the clock's time,
    ``transaction_at`` and ``transaction_no`` those of the whole transaction, by which history is
    sealed and read as of a cut-off.
    """

    id = models.BigAutoField(primary_key=True)
    site = models.ForeignKey(Site, models.PROTECT, null=True, related_name="+")
    label = models.CharField(max_length=60)
    key = models.BigIntegerField()
    action = models.CharField(max_length=6)
    changes = models.JSONField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    transaction_at = models.DateTimeField()
    transaction_no = models.BigIntegerField()
    request = models.CharField(max_length=40, blank=True)
    reason = models.TextField(blank=True)

    web_grants = "SELECT"

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["label", "key", "id"], name="change_of_record")]


class Look(SiteRecord):
    """Somebody looked at an identity, an image or a dataset."""

    site_from = ""
    web_grants = "SELECT, INSERT"

    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")
    what = kept(models.CharField(max_length=200), "withhold")

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["label", "key"], name="look_at_record")]
