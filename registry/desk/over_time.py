"""Repeated measures of one form: items down, visits across in time, nothing to type (rule 41).

A value is corrected at its visit, where it was seen and where a reason is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dictionary import Item, Kind
from registry.core.forms import show_value
from registry.core.states import show_state
from registry.participants.models import Participant
from registry.visits.crf import FORMS, Crf, FormKind, LogCrf
from registry.visits.models import FormEntry

from .participant import visible_participant

GROUP = 12  # items that the eye holds together
LEFT_OUT = {"done_on", "examiner"}
NUMERIC = (Kind.NUMBER, Kind.SCORE, Kind.YEAR)


@dataclass(frozen=True)
class Measured:
    """One entry of the form, with its record unless there is none yet."""

    entry: FormEntry
    record: Crf | None
    asked: frozenset[str]

    def cell(self, name: str, item: Item) -> str:
        """The item in words, never empty; its unit stands beside the item's label."""
        if self.record is None:
            return _("not entered") if self.entry.draft is None else show_state("draft").word
        value = getattr(self.record, name)
        if value is None:
            words = show_value(item, None, self.record, name)
            return words or (_("not recorded") if self._asks(name, item) else _("not asked"))
        if item.kind == Kind.SCORE:
            return str(value)
        return show_value(replace(item, unit=""), value, self.record, name) + self._flag(name, item)

    def _asks(self, name: str, item: Item) -> bool:
        values = {other: getattr(self.record, other) for other in item.when}
        return (item.derived or name in self.asked) and item.asked(values)

    def _flag(self, name: str, item: Item) -> str:
        """Whether the value lies outside the laboratory's limits of its day."""
        if not item.limits:
            return ""
        value = getattr(self.record, name)
        low, high = (getattr(self.record, f"{name}_ref_{end}") for end in ("low", "high"))
        if low is not None and value < low:
            return f" {_('low')}"
        return f" {_('high')}" if high is not None and value > high else ""


@dataclass(frozen=True)
class Place:
    """A leg, an ulcer or the whole: its entries (newest first, then in time) and its rows."""

    name: str
    columns: list[Measured]
    groups: list[list[Row]]


@dataclass(frozen=True)
class Row:
    item: Item
    cells: list[str]

    @property
    def numeric(self) -> bool:
        return self.item.kind in NUMERIC


@needs(Permission.VIEW)
def over_time(request: UserRequest, study_number: str, form: str) -> HttpResponse:
    """Every answer of ``form`` at the participant's visits."""
    participant = visible_participant(request, study_number)
    kind = FORMS.get(form)
    if kind is None or issubclass(kind.model, LogCrf):
        raise Http404
    context = {"participant": participant, "kind": kind, "places": list(_places(participant, kind))}
    return render(request, "desk/over_time.html", context)


def _places(participant: Participant, kind: FormKind) -> Iterator[Place]:
    entries = FormEntry.objects.filter(
        participant=participant, form=kind.code, visit__attended_on__isnull=False
    ).select_related("visit")
    entries = entries.order_by("-limb", "occurrence", "visit__attended_on", "visit_id")
    records = {one.entry_id: one for one in kind.model.objects.filter(entry__in=entries)}
    items = {
        name: item
        for name, item in kind.items().items()
        if not item.companion_of
        and name not in LEFT_OUT
        and item.kind not in (Kind.TEXT, Kind.FILE)
    }
    asked: dict[int, frozenset[str]] = {}
    for _place, together in groupby(entries, key=lambda one: (one.limb, one.occurrence)):
        columns = []
        for entry in together:
            entry.visit.participant = participant
            if entry.visit.pk not in asked:
                asked[entry.visit.pk] = frozenset(entry.asked_items if entry.asked else ())
            columns.append(Measured(entry, records.get(entry.pk), asked[entry.visit.pk]))
        newest_first = [columns[-1], *columns[:-1]]
        rows = list(_rows(newest_first, items))
        groups = [rows[start : start + GROUP] for start in range(0, len(rows), GROUP)]
        yield Place(_name(columns[0].entry), newest_first, groups)


def _name(entry: FormEntry) -> str:
    leg = str(entry.get_limb_display())
    return f"{entry.occurrence} ({leg})" if entry.occurrence else leg


def _rows(columns: list[Measured], items: Mapping[str, Item]) -> Iterator[Row]:
    """A row for every item that was ever answered."""
    for name, item in items.items():
        records = [one.record for one in columns if one.record]
        if any(getattr(one, name) is not None or name in one.absent for one in records):
            yield Row(item, [one.cell(name, item) for one in columns])
