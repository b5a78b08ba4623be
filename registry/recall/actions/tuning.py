"""Tuning a site's recalls."""

from __future__ import annotations

from django.db import transaction

from registry.access.models import Site, User

from ..kinds import ABOUT, Tuning
from ..models import KindTuning, SiteTuning


@transaction.atomic
def tune(*, by: User, site: Site, tuning: Tuning) -> None:
    """Keep how the site wants its recalls; what is as the protocol plans it is not kept."""
    SiteTuning.objects.update_or_create(
        site=site,
        defaults={
            "weekdays": sorted(tuning.weekdays),
            "counts_only": tuning.counts_only,
            "language": tuning.language,
        },
    )
    for kind, setting in tuning.settings.items():
        own = KindTuning.objects.filter(site=site, kind=kind)
        if setting == ABOUT[kind].standard:
            own.delete()
        else:
            KindTuning.objects.update_or_create(
                site=site,
                kind=kind,
                defaults={
                    "on": setting.on,
                    "days": list(setting.days),
                    "roles": [str(role) for role in setting.roles],
                },
            )
