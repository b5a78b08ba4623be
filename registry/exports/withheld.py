"""What of the records a profile changes or leaves out, and why: the other side of its columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext, gettext_noop

from registry.core import codebook
from registry.core.dictionary import Kind, Privacy

from .profiles import Profile, Whole
from .tables import Table

IDENTIFIES = gettext_noop("Left out: it identifies, or serves the registry alone")
FREE_TEXT = gettext_noop("Left out: free text, files and their names")
TOO_RARE = gettext_noop("Left out by this profile: with other items it could tell who it is")
STUDY_DAYS = gettext_noop("Dates become study days: days, months or years from enrolment")
COARSER = gettext_noop("Grouped, rounded, or replaced by a random number")
WHY = (IDENTIFIES, FREE_TEXT, TOO_RARE, STUDY_DAYS, COARSER)


@dataclass(frozen=True)
class Changed:
    """Items that do not leave as they are, for one reason: label → tables."""

    why: str
    items: dict[str, list[str]]


def changed(profile: Profile, tables: Iterable[Table]) -> list[Changed]:
    """The items of some tables that leave changed or not at all, by reason.

    Of two items with the same label (a site of a screening, and of its participant) the one that
    leaves counts. Keys of the tables are no items here.
    """
    found: dict[str, dict[str, list[str]]] = {why: {} for why in WHY}
    for table in tables:
        entries = [one for model in table.models for one in codebook.entries_of(model)]
        leaving = {one.item.label for one in entries if any(profile.columns(one, "t"))}
        for entry in entries:
            leaves = any(profile.columns(entry, "t"))
            why = _why(profile, entry, leaves)
            label = entry.item.label
            if not why or (label in leaving and not leaves):
                continue
            of_tables = found[why].setdefault(label, [])
            if table.label not in of_tables:
                of_tables.append(table.label)
    return [Changed(gettext(why), items) for why, items in found.items() if items]


def _why(profile: Profile, entry: codebook.Entry, leaves: bool) -> str:
    """Why an item does not leave as it is; '' when it does, or leaves as a key."""
    if entry.item.privacy == Privacy.WITHHOLD:
        return FREE_TEXT if entry.item.kind in (Kind.TEXT, Kind.FILE) else IDENTIFIES
    if not leaves:
        return "" if entry.item.privacy == Privacy.RELEASE else TOO_RARE
    try:
        rule = profile.rule(entry)
    except KeyError:
        return STUDY_DAYS if entry.item.privacy == Privacy.DATE else ""
    return "" if isinstance(rule, Whole) else COARSER
