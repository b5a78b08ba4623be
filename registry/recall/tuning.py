"""How a site tunes its recalls: stored only where it differs from the protocol's plan."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.access.models import Site, SiteRecord
from registry.access.roles import Role
from registry.core.dictionary import kept

from .kinds import ABOUT, Kind, Setting, Tuning


class SiteTuning(SiteRecord):
    """On which weekdays a site's mails go, how much they say, and in which language."""

    site_from = ""

    site = kept(
        models.OneToOneField(Site, models.PROTECT, related_name="recall_tuning"), "withhold"
    )
    weekdays = kept(models.JSONField(default=list), "withhold", "Weekdays of the daily mail")
    counts_only = kept(models.BooleanField(default=False), "withhold", "Counts only")
    language = kept(models.CharField(max_length=10, blank=True), "withhold", "Language of mails")


class KindTuning(SiteRecord):
    """A kind of recall that a site uses in its own way."""

    site_from = ""

    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "withhold")
    kind = kept(models.CharField(max_length=20, choices=[(k, k) for k in Kind]), "withhold")
    on = kept(models.BooleanField(_("on"), default=True), "withhold", "On")
    days = kept(models.JSONField(default=list), "withhold", "Days")
    roles = kept(models.JSONField(default=list), "withhold", "Roles told")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "kind"], name="recall_kind_tuned_once")
        ]

    @property
    def setting(self) -> Setting:
        return Setting(tuple(self.days), tuple(Role(role) for role in self.roles), self.on)


def tuning_of(site: Site) -> Tuning:
    """How the site wants its recalls today."""
    settings = {kind: about.standard for kind, about in ABOUT.items()}
    settings |= {Kind(one.kind): one.setting for one in KindTuning.objects.filter(site=site)}
    own = SiteTuning.objects.filter(site=site).first()
    if own is None:
        return Tuning(settings=settings)
    return Tuning(frozenset(own.weekdays), own.counts_only, own.language, settings)
