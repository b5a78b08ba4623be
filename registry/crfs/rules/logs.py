"""A visit's review of the logs against the rows entered (``forms.md``, treatment)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

NOTHING_NEW, ENTRIES_MADE = "nothing_new", "entries_made"


def broken_rule(
    answer: str | None, entered_on: Iterable[date], after: date | None, until: date
) -> str:
    """Which rule an answer breaks; empty when none.

    ``entered_on`` are the days on which the log's rows were entered, ``after`` the day of the
    review before, if any, and ``until`` the day of this one.
    """
    since = [day for day in entered_on if (after is None or day > after) and day <= until]
    if answer == ENTRIES_MADE and not since:
        return "review_without_entries"
    if answer == NOTHING_NEW and since:
        return "entries_not_reviewed"
    return ""
