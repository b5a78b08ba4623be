"""The history of a site's records: a row for each item that a change touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import F, Func, IntegerField, Q, QuerySet, Sum
from django.utils.translation import gettext

from registry.access.models import Site, User
from registry.audit.models import Change
from registry.imaging.models import Reading
from registry.quality.models import DataQuery

from .cells import SNAPSHOT, key, label_of, plain, records
from .tables import AT_ONCE, Table, names, sees_readings

READING, QUERY = Reading._meta.label_lower, DataQuery._meta.label_lower


def history(site: Site, user: User) -> Table:
    """Every change of the records that go out with this copy; who read a film is not told."""
    changes = _changes(site, user)
    items = Func(
        F("changes"),
        template="(SELECT count(*) FROM jsonb_object_keys(%(expressions)s))",
        output_field=IntegerField(),
    )
    columns = [
        key("change", gettext("Number of the change"), "id"),
        key("table", gettext("Table of the record changed"), "table"),
        key("table_record", gettext("Number of that record"), "key"),
        key("action", gettext("insert, update or delete"), "action"),
        key("item", gettext("Column changed"), "item"),
        key("item_words", gettext("What the column holds"), "item_words"),
        key("old", gettext("Value before"), "old"),
        key("new", gettext("Value after"), "new"),
        key("by", gettext("Who changed it"), "by"),
        key("at", gettext("When (UTC)"), "at"),
        key("reason", gettext("Reason given"), "reason"),
    ]

    def rows() -> Iterator[Sequence[str]]:
        people = dict(User.objects.using(SNAPSHOT).values_list("pk", "name"))
        labels = {label: _Record(label, table, people) for label, table in names().items()}
        found = changes.select_related("by").order_by("pk")
        for change in found.iterator(AT_ONCE):
            for row in labels[change.label].rows(change):
                yield [column.cell(row) for column in columns]

    def count() -> int:
        return changes.order_by().aggregate(items=Sum(items))["items"] or 0

    return Table("changes", gettext("History: every change, item by item"), columns, count, rows)


def _changes(site: Site, user: User) -> QuerySet[Change]:
    shown = set(names())
    if not sees_readings(user):
        shown.remove(READING)
    queries = records(DataQuery, site)
    seen = queries.for_user(user)
    hidden = queries.exclude(pk__in=seen.values("pk"))
    return (
        Change.objects.using(SNAPSHOT)
        .filter(site=site, label__in=shown)
        .exclude(Q(label=QUERY, key__in=hidden.values("pk")))
    )


@dataclass(frozen=True)
class _Record:
    """How the changes of one kind of record are told."""

    label: str
    table: str
    people: dict[int, str]

    @cached_property
    def _columns(self) -> dict[str, models.Field[Any, Any]]:
        model = apps.get_model(self.label)
        return {str(column.column): column for column in model._meta.concrete_fields}

    def rows(self, change: Change) -> Iterator[dict[str, Any]]:
        by_reader = self.label == READING
        for item, (old, new) in change.changes.items():
            column = self._columns.get(item)
            yield {
                "id": change.pk,
                "table": self.table,
                "key": change.key,
                "action": change.action,
                "item": item,
                "item_words": label_of(column) if column else "",
                "old": self._told(column, old),
                "new": self._told(column, new),
                "by": "" if by_reader else change.by.name,
                "at": change.at,
                "reason": change.reason,
            }

    def _told(self, column: models.Field[Any, Any] | None, value: Any) -> str:
        """A value as history keeps it; people by name, and nothing of an encrypted one."""
        if value is None:
            return ""
        if isinstance(column, models.BinaryField):
            return "…"
        if column is not None and column.related_model is User:
            reads = column.model is Reading
            return "" if reads else self.people.get(value, plain(value))
        return plain(value)
