"""The day it is at each of several sites, for SQL.

A visit is overdue by its own site's clock, whoever looks at it from wherever.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from django.db.models import Case, DateField, Expression, Value, When

from .models import Site

Day = date | Expression


class SiteDays:
    """Today at ``sites`` (ids), as an expression over rows that have a ``site``."""

    def __init__(self, sites: Iterable[int]) -> None:
        self.days: dict[date, list[int]] = {}  # at most three on this earth
        for site in Site.objects.filter(pk__in=sites):
            self.days.setdefault(site.today, []).append(site.pk)

    def after(self, days: int = 0) -> Day:
        """The day that lies ``days`` after each site's own today."""
        shift = timedelta(days=days)
        if len(self.days) == 1:  # a plain day, for which an index serves
            return next(iter(self.days)) + shift
        return Case(
            *(When(site__in=sites, then=Value(day + shift)) for day, sites in self.days.items()),
            output_field=DateField(),
        )
