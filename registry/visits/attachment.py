"""A file kept under a form entry: a photo of an ulcer, the report of a biopsy."""

from __future__ import annotations

from django.db import models

from registry.access.models import SiteRecord, User
from registry.core.dictionary import kept

from .crf import FORMS, FileItem


class Attachment(SiteRecord):
    """One file that answers a form's ``item``. It never leaves the registry."""

    site_from = "entry"
    unrecorded = ("original_name",)  # people name files after people

    entry = kept(
        models.ForeignKey("visits.FormEntry", models.PROTECT, related_name="attachments"),
        "withhold",
    )
    item = kept(models.CharField(max_length=30), "withhold")
    original_name = kept(models.CharField(max_length=200), "withhold")
    media_type = kept(models.CharField(max_length=20), "withhold")
    sha256 = kept(models.CharField(max_length=64), "withhold")
    stored = kept(models.FileField(upload_to="attachments", max_length=100), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["entry", "item", "sha256"], name="attachment_once_an_item"
            )
        ]

    @property
    def file_item(self) -> FileItem:
        """The question that it answers."""
        asked = FORMS[self.entry.form].model.file_items
        return next(one for one in asked if one.name == self.item)

    @property
    def is_picture(self) -> bool:
        return self.media_type.startswith("image/")
