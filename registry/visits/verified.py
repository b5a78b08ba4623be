"""Which answers of a form are verified against their source, and what a form's state is then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from registry.audit.rules import fingerprint
from registry.core.dictionary import items_of
from registry.quality.models import Verification

from .crf import Crf
from .models import FormEntry


def answered(record: Crf, names: Iterable[str]) -> list[str]:
    """Those of the entered items ``names`` that have a value or an absence code."""
    items = items_of(type(record))
    return [
        name
        for name in names
        if not items[name].derived
        and not items[name].companion_of
        and (getattr(record, name) is not None or name in record.absent)
    ]


def item_fingerprint(record: Crf, name: str) -> str:
    """The fingerprint of an item with its absence code and companions (unit, comparator …)."""
    companions = [
        other for other, item in items_of(type(record)).items() if item.companion_of == name
    ]
    return fingerprint(stored(record, [name, *companions]))


def finished_state(entry: FormEntry, record: Crf) -> str:
    """The state of a form just saved: verified when every answer of it still is."""
    held = set(
        Verification.objects.filter(
            label=record._meta.label_lower, key=record.pk, fallen_at__isnull=True
        ).values_list("item", flat=True)
    )
    wanted = answered(record, entry.asked_items)
    all_verified = bool(held) and held.issuperset(wanted)
    return FormEntry.State.VERIFIED if all_verified else FormEntry.State.COMPLETE


def stored(record: Crf, names: Iterable[str]) -> dict[str, Any]:
    """Item → its value as stored and its absence code."""
    return {name: [getattr(record, name), record.absent.get(name)] for name in names}
