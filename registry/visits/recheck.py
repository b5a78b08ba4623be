"""The re-check of everything, site by site and some participants at a time.

It finds what came in by import or by SQL, and what slipped past a trigger. Each chunk is one
transaction that holds the lock of the run's row: a second worker finds it taken and leaves, and
after a crash the next one goes on behind the last chunk that was finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.utils import timezone

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.participants.models import Participant
from registry.quality.actions import recheck_many
from registry.quality.models import RecheckRun

from .attesting import recheck_attested

CHUNK = 100  # participants a transaction: about a second, so that savers wait no longer


def check_participants(*, by: User, site: Site, participants: Sequence[int]) -> None:
    """Check participants of one site: what was attested first, for it changes forms' states."""
    recheck_attested(by=by, participants=participants)
    recheck_many(by=by, site_id=site.pk, participants=participants)


def check_site(*, by: User, site: Site, day: date) -> bool:
    """Go on with the site's run of ``day`` until it is finished; False when another is at it."""
    with scope(by, [site.pk]):
        RecheckRun.objects.bulk_create([RecheckRun(site=site, day=day)], ignore_conflicts=True)
    while True:
        with scope(by, [site.pk]):
            run = (
                RecheckRun.objects.select_for_update(skip_locked=True)
                .filter(site=site, day=day)
                .first()
            )
            if run is None:
                return False
            if run.finished_at:
                return True
            following = Participant.objects.filter(site=site, pk__gt=run.upto).order_by("pk")
            chunk = list(following.values_list("pk", flat=True)[:CHUNK])
            if not chunk:
                run.finished_at = timezone.now()
            else:
                check_participants(by=by, site=site, participants=chunk)
                run.upto, run.checked = chunk[-1], run.checked + len(chunk)
            run.save(update_fields=["finished_at", "upto", "checked"])
