"""The re-check of everything, site by site and some participants at a time.

It finds what came in by import or by SQL, and what slipped past a trigger. Each chunk is one
transaction that holds the lock of the run's row: a second worker finds it taken and leaves, and
after a crash the next one goes on behind the last chunk that was finished.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.participants.actions import take_turns
from registry.participants.models import Participant
from registry.quality.actions import recheck_many
from registry.quality.models import RecheckRun

from .attesting import recheck_attested

logger = logging.getLogger(__name__)

CHUNK = 30  # participants a transaction: about a second, so that savers wait no longer


def check_participants(*, by: User, site: Site, participants: Sequence[int]) -> None:
    """Check participants of one site: what was attested first, for it changes forms' states."""
    take_turns(participants)
    recheck_attested(by=by, participants=participants)
    recheck_many(by=by, site_id=site.pk, participants=participants)


def check_next(*, by: User, site: Site, after: int) -> tuple[list[int], list[int]]:
    """Check the site's next participants behind ``after``: (ids checked, those that failed)."""
    following = Participant.objects.filter(site=site, pk__gt=after).order_by("pk")
    chunk = list(following.values_list("pk", flat=True)[:CHUNK])
    return chunk, _check_or_report(by, site, chunk) if chunk else []


def _check_or_report(by: User, site: Site, participants: list[int]) -> list[int]:
    """Check participants together, or one by one when that raises, so that one stops no other."""
    try:
        with transaction.atomic():
            check_participants(by=by, site=site, participants=participants)
    except Exception:
        if len(participants) > 1:
            return [pk for one in participants for pk in _check_or_report(by, site, [one])]
        logger.exception("The check of participant %s raised.", participants[0])
        return participants
    return []


def report(site: Site, failed: Sequence[int]) -> str:
    """The participants (ids) of a site whose check raised, in words."""
    return f"{site.prefix}: {len(failed)} could not be checked: {', '.join(map(str, failed))}"


def check_site(*, by: User, site: Site, day: date) -> bool:
    """Go on with the site's run of ``day`` until it is finished; False when another is at it."""
    with scope(by, [site.pk]):
        RecheckRun.objects.bulk_create([RecheckRun(site=site, day=day)], ignore_conflicts=True)
    failed: list[int] = []
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
                break
            chunk, raised = check_next(by=by, site=site, after=run.upto)
            failed += raised
            if not chunk:
                run.finished_at = timezone.now()
            else:
                run.upto, run.checked = chunk[-1], run.checked + len(chunk)
            run.save(update_fields=["finished_at", "upto", "checked"])
    if failed:
        logger.error(report(site, failed))
    return True
