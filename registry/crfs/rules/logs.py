"""A visit's review of the logs against the rows entered (``forms.md``, treatment)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from django.utils.translation import gettext as _

from registry.core.findings import Finding, Level


def contradictions(
    log: str,
    name: str,
    answer: str | None,
    entered_on: Iterable[date],
    after: date | None,
    until: date,
) -> Iterator[Finding]:
    """ "Nothing new" though rows were entered, or "entries made" and there are none.

    ``log`` is the item of the review, ``name`` what pages call the log; ``entered_on`` are the
    days on which its rows were entered, ``after`` the day of the review before, if any, and
    ``until`` the day of this one.
    """
    since = [day for day in entered_on if (after is None or day > after) and day <= until]
    if answer == "entries_made" and not since:
        yield Finding(
            Level.INCONSISTENT,
            log,
            _("%(log)s: entries made, but no row was entered since the last review.")
            % {"log": name},
            "review_without_entries",
        )
    if answer == "nothing_new" and since:
        yield Finding(
            Level.INCONSISTENT,
            log,
            _("%(log)s: nothing new, but %(count)s were entered since the last review.")
            % {"log": name, "count": len(since)},
            "entries_not_reviewed",
        )
