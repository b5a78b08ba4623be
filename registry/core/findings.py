"""What may be wrong with a record: one judge for page, API, import and the nightly re-check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from .dictionary import Item, Kind
from .numbers import show_number


class Level(StrEnum):
    IMPOSSIBLE = "impossible"  # refused
    UNUSUAL = "unusual"  # saved; confirmed by who enters it, or a query opens
    MISSING = "missing"  # blocks completion
    INCONSISTENT = "inconsistent"  # several items, or the record's neighbours; opens a query


@dataclass(frozen=True)
class Finding:
    """One finding at one item. ``rule`` is stable, so that a query can close when it is mended."""

    level: Level
    item: str
    message: str
    rule: str


def judge(
    items: Mapping[str, Item],
    values: Mapping[str, Any],
    absent: Mapping[str, str],
    confirmed: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Findings about each item by itself.

    ``values`` and ``absent`` (item → absence code) are what the record would hold; ``confirmed``
    (item → the value confirmed, as text) quiets an unusual value until it changes.
    """
    return [
        finding
        for name, item in items.items()
        if item.typed
        for finding in _judge_item(name, item, values, absent, confirmed or {})
    ]


def _judge_item(
    name: str,
    item: Item,
    values: Mapping[str, Any],
    absent: Mapping[str, str],
    confirmed: Mapping[str, str],
) -> Iterator[Finding]:
    value = values.get(name)
    if value is None:
        if name not in absent and item.needed(values):
            yield Finding(
                Level.MISSING,
                name,
                _("%(label)s: still to be answered.") % {"label": item.label},
                "missing",
            )
        return
    if name in absent:
        yield _impossible(name, _("%(label)s: a value and a reason for its absence."), item)
    if item.when and not item.asked(values):
        yield _impossible(name, _("%(label)s is not asked with the answers above. Clear it."), item)
    if item.kind == Kind.CHOICE and value not in dict(item.choices):
        yield _impossible(name, _("%(label)s: choose one of the answers."), item)
    if item.kind == Kind.MULTI:
        if not value or not set(value) <= set(dict(item.choices)):
            yield _impossible(name, _("%(label)s: choose among the answers."), item)
        elif item.alone in value and len(value) > 1:
            yield _impossible(name, _("%(label)s: “%(alone)s” excludes the other answers."), item)
    if item.pattern and not re.fullmatch(item.pattern, value):
        form = _("%(label)s cannot be written like this. %(help)s")
        yield Finding(
            Level.IMPOSSIBLE, name, form % {"label": item.label, "help": item.help}, "possible"
        )
    if item.kind in (Kind.NUMBER, Kind.SCORE, Kind.YEAR):
        yield from _judge_range(name, item, Decimal(value), values, confirmed)


def _judge_range(
    name: str,
    item: Item,
    value: Decimal,
    values: Mapping[str, Any],
    confirmed: Mapping[str, str],
) -> Iterator[Finding]:
    def outside(limits: tuple[float, float] | None) -> bool:
        return limits is not None and not (
            Decimal(str(limits[0])) <= value <= Decimal(str(limits[1]))
        )

    details = {
        "label": item.label,
        "value": f"{value.normalize():f} {item.unit}".strip(),
        "hint": other_unit_hint(item, values.get(f"{name}_typed"), values.get(f"{name}_unit")),
    }
    if outside(item.possible):
        assert item.possible is not None
        details |= {"low": f"{item.possible[0]:g}", "high": f"{item.possible[1]:g}"}
        message = _(
            "%(label)s %(value)s is not possible: it must lie from %(low)s to %(high)s. %(hint)s"
        )
        yield Finding(Level.IMPOSSIBLE, name, (message % details).strip(), "possible")
    elif outside(item.expected) and confirmed.get(name) != str(value):
        assert item.expected is not None
        details |= {"low": f"{item.expected[0]:g}", "high": f"{item.expected[1]:g}"}
        message = _(
            "%(label)s %(value)s is unusual: most lie from %(low)s to %(high)s. %(hint)s"
            "Correct it, or confirm that it is right."
        )
        yield Finding(Level.UNUSUAL, name, message % details, "expected")


def other_unit_hint(item: Item, typed: str | None, unit: str | None) -> str:
    """Say so when the number typed would be expected in another unit of the item."""
    if not typed or not item.also:
        return ""
    low, high = item.expected or item.possible or (0, 0)
    for other in item.units:
        factor = Decimal(str(item.also.get(other, 1)))
        if other != unit and Decimal(str(low)) <= Decimal(typed) * factor <= Decimal(str(high)):
            return _("%(typed)s looks like %(unit)s. ") % {"typed": typed, "unit": other}
    return ""


def factor_hint(item: Item, value: Decimal, last: Decimal | None) -> str:
    """Say so when ``value`` would be near the ``last`` one with its decimal point moved."""
    if not value or not last:
        return ""
    for factor in (Decimal(10), Decimal("0.1")):
        if abs(value / factor - last) <= abs(last) / 4:
            return _(
                "%(label)s %(value)s is about %(times)s the last, %(last)s: "
                "look at the decimal point."
            ) % {
                "label": item.label,
                "value": show_number("=", value, item.unit),
                "times": _("ten times") if factor > 1 else _("a tenth of"),
                "last": show_number("=", last, item.unit),
            }
    return ""


def _impossible(name: str, message: str, item: Item) -> Finding:
    alone = item.choice_label(item.alone) if item.alone else ""
    return Finding(
        Level.IMPOSSIBLE, name, message % {"label": item.label, "alone": alone}, "possible"
    )
