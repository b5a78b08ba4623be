"""The reference limits of a site's laboratory, each valid from a day on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import models

from registry.access.models import Site, SiteRecord
from registry.core.dictionary import kept


class LaboratoryLimit(SiteRecord):
    """Limits of one laboratory item at one site, in the item's stored unit."""

    site_from = ""

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    item = kept(models.CharField(max_length=30), "withhold")
    valid_from = kept(models.DateField(), "withhold")
    low = kept(models.DecimalField(max_digits=12, decimal_places=4, null=True), "withhold")
    high = kept(models.DecimalField(max_digits=12, decimal_places=4, null=True), "withhold")

    class Meta:
        ordering = ["item", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "item", "valid_from"], name="laboratory_limit_once_a_day"
            )
        ]


def limits_on(site_id: int, day: date) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    """Item → (low, high) in its stored unit, as valid at the site on ``day``."""
    valid = (
        LaboratoryLimit.objects.filter(site=site_id, valid_from__lte=day)
        .order_by("item", "-valid_from")
        .distinct("item")
    )
    return {limit.item: (limit.low, limit.high) for limit in valid}
