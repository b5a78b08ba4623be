"""Days that no record can hold: in the future, or before the participant's birth.

A partial date is refused only when every day that it may mean is (``ux.md`` rules 12 and 13).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from registry.core.dates import Span, span
from registry.core.dictionary import Item, Kind
from registry.core.findings import Finding, Level


def impossible_days(
    items: Mapping[str, Item], values: Mapping[str, Any], *, today: date, birth_year: int
) -> Iterator[Finding]:
    """Findings about the dates and years among ``values``.

    ``today`` is the site's; ``birth_year`` the earliest in which the participant can be born.
    """
    for name, item in items.items():
        days = _days(item, values.get(name))
        if days is None:
            continue
        if days.first > today:
            message, rule = _("%(label)s lies in the future."), "future"
        elif days.last.year < birth_year:
            message, rule = _("%(label)s lies before the participant's birth."), "before_birth"
        else:
            continue
        yield Finding(Level.IMPOSSIBLE, name, message % {"label": item.label}, rule)


def _days(item: Item, value: Any) -> Span | None:
    """The days that a value may mean; None for what is no day."""
    if value is None:
        return None
    match item.kind:
        case Kind.DATE:
            return Span(value, value)
        case Kind.PARTIAL_DATE:
            return span(value)
        case Kind.YEAR:
            return span(f"{value:04d}")
        case _:
            return None
