"""Who wants no daily mail of a site for now."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.access.models import Site, SiteRecord, User
from registry.core.dictionary import kept


class MailPause(SiteRecord):
    """``user`` gets no daily mail of the site until ``lifted_at``.

    ``by`` is the system actor where the link in a mail was used without a log-in. Only the user
    ends it.
    """

    site_from = ""
    web_grants = "SELECT, INSERT, UPDATE"

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold", "Site")
    user = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    since = kept(models.DateTimeField(auto_now_add=True), "withhold")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    lifted_at = kept(models.DateTimeField(null=True), "withhold")

    class Meta:
        ordering = ["-since"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "user"], condition=Q(lifted_at=None), name="mail_paused_once"
            )
        ]
