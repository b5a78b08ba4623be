"""Columns of a site's tables, read off the models, and how a value is written into a cell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext

from registry.access.models import Site, SiteRecord, User
from registry.core import codebook
from registry.core.dictionary import Item, Kind

Row = Mapping[str, Any]
# The connection that reads one moment. Looks are logged on the default one: a transaction that
# keeps to one moment cannot write what points at rows changed since, like the site's own.
SNAPSHOT = "snapshot"
BETWEEN = " | "  # the answers of an item with several


@dataclass(frozen=True)
class Column:
    """A column of a table: its name and meaning, and its cell of a row (``path`` → value)."""

    name: str
    label: str
    cell: Callable[[Row], str]
    path: str = ""
    kind: str = ""
    unit: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)


def records(model: type[SiteRecord], site: Site) -> Any:
    """The site's rows of a model at the moment of the copy, in no order yet."""
    return model.objects.using(SNAPSHOT).filter(site=site).order_by()


def plain(value: Any) -> str:
    """A value as text, which says the same everywhere and loses nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False) if value else ""
    if isinstance(value, list):
        return BETWEEN.join(map(plain, value))
    return str(value)


def key(name: str, label: str, path: str, words: Mapping[str, str] | None = None) -> Column:
    """A column that another table is joined by; with ``words``, its values in other words."""

    def cell(row: Row) -> str:
        found = plain(row[path])
        return words.get(found, found) if words else found

    return Column(name, label, cell, path, Kind.KEPT)


def columns_of(model: type[models.Model], without: frozenset[str]) -> Iterator[Column]:
    """The columns of a model, each coded one with its words beside it.

    Encrypted columns and the storage's names of files mean nothing outside and are left out.
    """
    for column in model._meta.concrete_fields:
        if column.name in without or isinstance(column, models.BinaryField | models.FileField):
            continue
        if column.primary_key:
            label = gettext("Number of the record, by which other tables and the history name it")
            yield key("record", label, column.name)
        elif isinstance(column, models.ForeignKey):
            yield _reference(column)
        else:
            yield from _of_item(column)


def label_of(column: models.Field[Any, Any]) -> str:
    """What a column holds, in words."""
    item: Item | None = getattr(column, "item", None)
    return item.label if item and item.text else capfirst(gettext(str(column.verbose_name)))


def _reference(column: models.ForeignKey[Any, Any]) -> Column:
    if column.related_model is User:
        return key(column.name, label_of(column), f"{column.name}__name")
    return key(f"{column.name}_record", label_of(column), column.attname)


def _of_item(column: models.Field[Any, Any]) -> Iterator[Column]:
    entry = codebook.Entry("", column.name, column.item, column)  # type: ignore[attr-defined]
    choices = {} if entry.kind == Kind.YES_NO else entry.choices
    unit, label = entry.item.unit, label_of(column)

    def cell(row: Row) -> str:
        return plain(row[column.name])

    def words(row: Row) -> str:
        value = row[column.name]
        codes = value if isinstance(value, list) else [value]
        return BETWEEN.join(choices.get(code, code) for code in map(plain, codes))

    yield Column(column.name, label, cell, column.name, entry.kind, unit, choices)
    if any(code != word for code, word in choices.items()):
        name = f"{column.name}_words"
        yield Column(name, gettext("%(item)s, in words") % {"item": label}, words, column.name)
