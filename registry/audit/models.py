"""History, looks at what is worth protecting, and signatures: append-only for every role."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

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
    append_only = True
    web_grants = "SELECT, INSERT"

    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")
    what = kept(models.CharField(max_length=200), "withhold")

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["label", "key"], name="look_at_record")]


class Signature(SiteRecord):
    """Somebody signed a record: with which meaning, over which values. Never changed.

    ``covers`` names what was signed: key of a form's entry → ``form``, ``limb``, ``occurrence``
    and ``items``, also those answered by files. A form or an item that the protocol adds later is
    not among them and leaves the signature as it is; a change of one that is voids it
    (:class:`Voiding`), for good.
    """

    class Meaning(models.TextChoices):
        REVIEWED = (
            "reviewed",
            _("I confirm that I have reviewed these data and that they are complete and correct."),
        )
        RESPONSIBLE = (
            "responsible",
            _("I confirm that these data were collected under my responsibility."),
        )

    site_from = ""
    append_only = True
    web_grants = "SELECT, INSERT"

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    label = kept(models.CharField(max_length=60), "withhold")
    key = kept(models.BigIntegerField(), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    name = kept(models.CharField(max_length=120), "withhold", "Name as printed")
    meaning = kept(models.CharField(max_length=12, choices=Meaning.choices), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")
    covers = kept(models.JSONField(), "withhold")
    codebook_version = kept(models.CharField(max_length=12), "withhold")
    fingerprint = kept(models.CharField(max_length=64), "withhold")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["label", "key"], name="signature_of_record")]

    @property
    def stands(self) -> bool:
        return not hasattr(self, "voiding")


class Voiding(SiteRecord):
    """A signed value changed, and the signature has been void since. Never changed.

    Written by the trigger that sees the change, or by the nightly check of fingerprints. ``entry``
    is the key of the form's entry, ``items`` names what changed there.
    """

    site_from = "signature"
    append_only = True
    web_grants = "SELECT, INSERT"

    signature = kept(models.OneToOneField(Signature, models.PROTECT), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(default=timezone.now), "withhold")
    entry = kept(models.BigIntegerField(null=True), "withhold")
    items = kept(models.JSONField(default=list), "withhold")
