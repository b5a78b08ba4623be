"""Pure rules of films and readings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Protocol, TypeVar

from django.utils.translation import gettext as _

from registry.core.findings import Finding, Level

from .zones import ZONES, zone_label

# Registry-defined grades of extent by the number of zones present (forms.md).
EXTENT = {0: 0, 1: 1, 2: 2, 3: 2}
# none < punctate < trabecular or reticular, whose own order is not claimed (Tokoro 2009).
# Amorphous, plate and other lie outside the scale.
SCALE = {"punctate": 1, "trabecular": 2, "reticular": 2}
FILM_BEFORE = timedelta(days=90)


class Read(Protocol):
    """What the rules need of a reading."""

    mode: str | None
    read_no: int
    calcification: str | None
    pattern: str | None


R = TypeVar("R", bound=Read)


def final_grade(readings: Iterable[R]) -> R | None:
    """The reading that stands for a leg at a visit; None while none does.

    A single independent reading stands. Several would first have to agree or be adjudicated.
    """
    independent = [reading for reading in readings if reading.mode == "independent"]
    return independent[0] if len(independent) == 1 else None


def extent(calcification: str | None, zones: Mapping[str, str | None]) -> int | None:
    """0 none, 1 one zone, 2 two or three, 3 four or more, of the zones seen (``forms.md``).

    The Python twin of the column ``Reading.extent``; None when nothing can be said.
    """
    if calcification == "absent":
        return 0
    present = sum(state == "present" for state in zones.values())
    if calcification != "present" or not present:
        return None
    return EXTENT.get(present, 3)


def on_scale(calcification: str | None, pattern: str | None) -> int | None:
    """The pattern's place on the ordered scale: 0 none, 1 punctate, 2 trabecular or reticular."""
    return 0 if calcification == "absent" else SCALE.get(pattern or "")


def cross_checks(values: Mapping[str, Any], seen: Collection[str]) -> Iterator[Finding]:
    """What is wrong between the items of a reading; ``seen`` are the zones the films show.

    Phleboliths and calcified arteries are no calcification of the skin: they ask for no zone.
    """

    def finding(item: str, message: str, rule: str) -> Finding:
        return Finding(Level.IMPOSSIBLE, item, message, rule)

    calcification = values.get("calcification")
    present = [zone for zone in ZONES if values.get(zone) == "present"]
    for zone in ZONES:
        if zone in seen and values.get(zone) is None:
            message = _("%(zone)s: still to be answered, for the films show it.")
            yield finding(zone, message % {"zone": _(zone_label(zone))}, "zone_open")
        if zone not in seen and values.get(zone) != "not_assessable":
            message = _("%(zone)s: the films do not show it.")
            yield finding(zone, message % {"zone": _(zone_label(zone))}, "zone_unseen")
    if calcification == "present" and not present:
        yield finding(
            "calcification",
            _("Calcification is present: mark at least one zone as present."),
            "present_without_zone",
        )
    if calcification in ("absent", "not_assessable") and present:
        yield finding(
            "calcification",
            _("A zone is marked as present: calcification is then present, or the zone is not."),
            "zone_without_present",
        )
    if values.get("quality") == "unreadable" and calcification not in (None, "not_assessable"):
        yield finding(
            "calcification",
            _("On unreadable films calcification is not assessable."),
            "unreadable",
        )


def serves(acquired_on: date, target_on: date, closes_on: date) -> bool:
    """Whether a film serves a visit: from 90 days before it to its window's end (``forms.md``)."""
    return target_on - FILM_BEFORE <= acquired_on <= closes_on
