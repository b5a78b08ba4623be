"""When a treatment of the log was given (``forms.md``, treatment).

A partial start is an interval: "may have" is asked of every day it may mean (``ux.md`` rule 12).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from registry.core.dates import show_date, span
from registry.core.findings import Finding, Level


def may_have_begun(started_on: str | None, after: date, until: date) -> bool:
    """Whether a day that ``started_on`` may mean lies from ``after`` to ``until``, both too."""
    if not started_on:
        return False
    started = span(started_on)
    return started.last >= after and started.first <= until


def may_have_run(
    started_on: str | None, ongoing: bool | None, stopped_on: date | None, on: date
) -> bool:
    """Whether a treatment may have been given on the day ``on``."""
    begun = may_have_begun(started_on, date.min, on)
    return begun and (bool(ongoing) or stopped_on is None or stopped_on >= on)


def contradictions(started_on: str | None, stopped_on: date | None) -> Iterator[Finding]:
    """A treatment stops on a day on which it may have started, or later."""
    if started_on and stopped_on and stopped_on < span(started_on).first:
        yield Finding(
            Level.IMPOSSIBLE,
            "stopped_on",
            _("The treatment stopped on %(stopped)s, but did not start before %(started)s.")
            % {
                "stopped": show_date(stopped_on),
                "started": show_date(span(started_on).first),
            },
            "stopped_before_start",
        )
