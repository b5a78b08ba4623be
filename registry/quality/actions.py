"""Findings become data queries, and mended data close them."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from registry.access.models import User

from .checks import findings_of, keep_up
from .models import DataQuery


@transaction.atomic
def recheck(*, by: User, site_id: int, participant_no: int) -> None:
    """Run every check over a participant: open what is new, close what is mended."""
    keep_up(participant_no)
    found = findings_of(participant_no)
    opened = {
        (query.label, query.key, query.item, query.rule): query
        for query in DataQuery.objects.filter(participant_no=participant_no)
        .exclude(state=DataQuery.State.CLOSED)
        .exclude(rule="")
    }
    mended = [query.pk for place, query in opened.items() if place not in found]
    if mended:
        DataQuery.objects.filter(pk__in=mended).update(
            state=DataQuery.State.CLOSED, closed_by=by, closed_at=timezone.now()
        )
    DataQuery.objects.bulk_create(
        DataQuery(
            site_id=site_id,
            participant_no=participant_no,
            label=one.label,
            key=one.key,
            item=one.item,
            rule=one.rule,
            message=one.message,
            audience=one.audience,
            opened_by=by,
        )
        for place, one in found.items()
        if place not in opened
    )
