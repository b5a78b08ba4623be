"""Six sites, each with a sending hour that its clock changes may leave out or bring twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

FIRST, LAST = date(2014, 1, 1), date(2020, 12, 31)
BEGIN, END = datetime(2014, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """A site: ``hour`` and ``weekdays`` (0 is Monday) of its daily mail, and its own ``days``."""

    prefix: str
    name: str
    zone: ZoneInfo
    hour: int
    weekdays: tuple[int, ...] = tuple(range(7))
    days: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def at(self, day: date, clock: time) -> datetime:
        """The moment when the site's clock shows ``clock`` on ``day``."""
        return datetime.combine(day, clock, self.zone).astimezone(UTC)


PLACES = (
    Place("TYO", "Tokyo", ZoneInfo("Asia/Tokyo"), 7),
    # Midnight jumps to one o'clock when summer begins.
    Place("SAO", "São Paulo", ZoneInfo("America/Sao_Paulo"), 0, weekdays=(0, 1, 2, 3, 4)),
    Place("LON", "London", ZoneInfo("Europe/London"), 1),
    Place("AKL", "Auckland", ZoneInfo("Pacific/Auckland"), 2),
    Place(
        "KTM",
        "Kathmandu",
        ZoneInfo("Asia/Kathmandu"),
        23,
        days={"coming_up": (14,), "overdue": (3, 10, 90), "query": (7, 21), "contact": ()},
    ),
    Place("LAX", "Los Angeles", ZoneInfo("America/Los_Angeles"), 2, weekdays=(0, 3)),
)
