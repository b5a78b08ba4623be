"""Where a data query stands: from label, key and item to words and to the very control."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.urls import reverse

from registry.core.dictionary import items_of
from registry.participants.models import Participant
from registry.quality.models import DataQuery
from registry.ulcers.models import Ulcer
from registry.visits.crf import Crf

from .address import url_of


@dataclass(frozen=True)
class Place:
    """A query's place; ``participant`` is None only when its row is gone."""

    participant: Participant | None
    visit: str = ""
    form: str = ""
    leg: str = ""
    item: str = ""
    url: str = ""

    @property
    def words(self) -> str:
        """Visit, form, leg and item, as far as there are such."""
        return " · ".join(
            str(part) for part in (self.visit, self.form, self.leg, self.item) if part
        )


def places_of(queries: Iterable[DataQuery]) -> dict[int, Place]:
    """Query's key → its place; as many SQL queries as there are kinds of record."""
    queries = list(queries)
    participants = Participant.objects.in_bulk({query.participant_no for query in queries})
    keys: dict[str, set[int]] = {}
    for query in queries:
        keys.setdefault(query.label, set()).add(query.key)
    records = {
        (label, record.pk): record
        for label, wanted in keys.items()
        for record in _with_entry(apps.get_model(label)).filter(pk__in=wanted)
    }
    return {
        query.pk: _place(
            query, records.get((query.label, query.key)), participants.get(query.participant_no)
        )
        for query in queries
    }


def _with_entry(model: Any) -> Any:
    if issubclass(model, Crf):
        return model.objects.select_related("entry__visit__participant", "entry__participant")
    return model.objects.all()


def item_label(label: str, name: str) -> str:
    """The item's question, or nothing for a query about the whole record."""
    item = items_of(apps.get_model(label)).get(name)
    return item.label if item else ""


def form_label(label: str) -> str:
    """The name of the form or record that ``label`` (``app.model``) stands for."""
    model = apps.get_model(label)
    declaration = getattr(model, "declaration", None)
    return str(declaration.label if declaration else model._meta.verbose_name)


def _place(query: DataQuery, record: Any, participant: Participant | None) -> Place:
    form, item = form_label(query.label), item_label(query.label, query.item)
    home = reverse("participant", args=[participant.study_number]) if participant else ""
    if isinstance(record, Crf):
        entry = record.entry
        visit = entry.visit
        url = url_of(entry, query.item) if visit is None or entry.asked else home
        return Place(participant, visit.label if visit else "", form, entry.place, item, url)
    if isinstance(record, Ulcer):
        url = reverse("ulcer", args=[record.pk])
        return Place(participant, "", form, record.label, item, url)
    return Place(participant, "", "" if isinstance(record, Participant) else form, "", item, home)
