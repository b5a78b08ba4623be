"""Pages of a list, and counts that go no further than people read.

A list of work is in order of urgency, and nobody works through its thousandth row. So a count
stops at :data:`LONGEST` and the list ends there, both saying that there are more: they cost the
same among a thousand participants and among a hundred thousand, and still agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

PAGE = 50
LONGEST = 100


@dataclass(frozen=True)
class Count:
    """How many rows a list shows, and whether there are more than it shows."""

    rows: int
    more: bool = False


def count(rows: QuerySet[Any]) -> Count:
    """Count ``rows``, up to :data:`LONGEST`; in their order, so that an index can stop there."""
    found = rows[: LONGEST + 1].count()
    return Count(min(found, LONGEST), found > LONGEST)


class Pages(Paginator):
    """A list of work in pages, ending after :data:`LONGEST` rows."""

    object_list: QuerySet[Any]

    @cached_property
    def counted(self) -> Count:
        return count(self.object_list)

    @property
    def count(self) -> int:
        return self.counted.rows

    @property
    def more(self) -> bool:
        return self.counted.more


def page_of(rows: QuerySet[Any], number: str | None) -> Page:
    """The page ``number`` as it was asked for, or the nearest there is."""
    return Pages(rows, PAGE).get_page(number)
