"""What recall reads of a site, as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.participants.models import Participant
from registry.visits.models import Visit, Visits, participation_ended

from ..rules import Facts

VISIT = Visit._meta.label_lower


@contextmanager
def at_site(site: Site, by: User) -> Iterator[None]:
    """The scope and the clock of the one site."""
    with timezone.override(site.zone), scope(by, [site.pk]):
        yield


def visits_of(site: Site) -> Visits:
    """The site's visits, with ``stopped``: the participant may no longer be recalled."""
    stopped = Participant.objects.with_consent().filter(
        Q(contact_stopped=True) | Q(collection_stopped=True), pk=OuterRef("participant")
    )
    return (
        Visit.objects.filter(site=site)
        .select_related("participant")
        .annotate(stopped=Q(Exists(stopped)) | participation_ended("participant"))
    )


def facts_of(visit: Visit) -> Facts:
    return Facts(
        opens_on=visit.opens_on,
        closes_on=visit.closes_on,
        attended=visit.attended_on is not None,
        missed=bool(visit.missed_because),
        cancelled=visit.cancelled_on is not None,
        stopped=visit.stopped,  # type: ignore[attr-defined]
    )
