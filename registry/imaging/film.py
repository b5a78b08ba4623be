"""A film: one stored image of an X-ray study, cleaned of identifiers on the way in."""

from __future__ import annotations

from django.db import models

from registry.access.models import SiteRecord, User
from registry.core.dictionary import kept

from .xray import Xray


class Film(SiteRecord):
    """One image file of a study. ``original`` is what readers measure on, ``picture`` a PNG."""

    site_from = "xray"

    xray = kept(models.ForeignKey(Xray, models.PROTECT, related_name="films"), "withhold")
    original = kept(models.FileField(upload_to="films", max_length=100), "withhold")
    picture = kept(models.FileField(upload_to="films", max_length=100), "withhold")
    format = kept(models.CharField(max_length=5), "withhold", "File format")
    view = kept(models.CharField(max_length=12, blank=True), "withhold", "View")
    sha256 = kept(models.CharField(max_length=64), "withhold")
    width = kept(models.PositiveIntegerField(), "withhold")
    height = kept(models.PositiveIntegerField(), "withhold")
    # DICOM leaves open whether names are burnt into the pixels: a person has to look.
    to_check = kept(models.BooleanField(default=False), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")

    class Meta:
        ordering = ["at", "id"]
        constraints = [models.UniqueConstraint(fields=["xray", "sha256"], name="film_once_a_study")]
