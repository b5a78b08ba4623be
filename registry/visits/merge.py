"""Merging what two people typed into one form, item by item. Pure.

What a form's controls hold is a :data:`Raw`: control name → its values as text, blank controls
left out. The controls of one item (value, unit, absence code, confirmation) are one *answer* and
are merged as one, so that nobody's number meets another's unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Raw = dict[str, list[str]]
UNIT = "__unit"  # how the control of a number's unit ends


@dataclass(frozen=True)
class Merged:
    """What a form holds after a merge.

    ``both`` names the items that both changed, differently: ``raw`` keeps theirs until somebody
    chooses. ``theirs`` names those that the other changed alone.
    """

    raw: Raw
    both: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()


def plain(held: Mapping[str, Iterable[str]]) -> Raw:
    """A :data:`Raw` of what controls hold: blanks left out, line breaks as one character.

    A unit without its number is blank too: each page proposes the one that it saw last.
    """
    whole = {
        name: [value.replace("\r\n", "\n") for value in values if value.strip()]
        for name, values in held.items()
    }
    filled = {name: values for name, values in whole.items() if values}
    return {
        name: values
        for name, values in filled.items()
        if not name.endswith(UNIT) or item_of(name) in filled
    }


def item_of(control: str) -> str:
    """The item a control belongs to: ``vcss-right-pain__absent`` → ``vcss-right-pain``."""
    return control.partition("__")[0]


def is_answer(item: str) -> bool:
    """Whether it is an item: a page also keeps what it filled (``…-__rest``), for its undo."""
    return not item.endswith("-")


def answers(raw: Raw) -> dict[str, Raw]:
    """Item → its answer."""
    found: dict[str, Raw] = {}
    for control, values in raw.items():
        found.setdefault(item_of(control), {})[control] = values
    return found


def take(raw: Raw, other: Raw, items: Iterable[str]) -> Raw:
    """``raw`` with the answers of ``items`` as they are in ``other``."""
    wanted = set(items)
    kept = {control: values for control, values in raw.items() if item_of(control) not in wanted}
    return kept | {c: values for c, values in other.items() if item_of(c) in wanted}


def merge(
    base: Raw, mine: Raw, theirs: Raw, same: Callable[[Raw, Raw], bool] = Raw.__eq__
) -> Merged:
    """Merge ``mine`` and ``theirs``, both made from ``base``.

    ``same`` tells whether two answers of an item mean the same. An answer changed by one side is
    that side's; changed by both and not the same, it stands under ``both``.
    """
    bases, mines, theirses = answers(base), answers(mine), answers(theirs)
    both, alone, kept = [], [], []
    for item in dict.fromkeys([*theirses, *mines, *bases]):
        was, my, their = (side.get(item, {}) for side in (bases, mines, theirses))
        if same(my, their):
            continue
        if same(my, was):
            alone.append(item)
        elif same(their, was) or not is_answer(item):  # nobody is asked about a page's own note
            kept.append(item)
        else:
            both.append(item)
    return Merged(take(theirs, mine, kept), tuple(both), tuple(alone))
