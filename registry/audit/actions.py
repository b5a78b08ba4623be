"""Logging a look; everything else in history is written by trigger."""

from __future__ import annotations

from registry.access.models import SiteRecord, User

from .models import Look


def log_look(*, by: User, record: SiteRecord, what: str) -> None:
    """Log that ``by`` looked at ``record`` (an identity, an image)."""
    Look.objects.create(
        site_id=record.site_id, label=record._meta.label_lower, key=record.pk, by=by, what=what
    )
