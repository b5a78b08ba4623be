"""``manage.py report tokoro``: the Tokoro report of one site, for people or machines."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.participants.models import Participant
from registry.reports.cases import baseline_cases
from registry.reports.statistics import QUARTILES
from registry.reports.tables import Table, conventions, published, tables
from registry.reports.tokoro import RECONSTRUCTION, Report, report

WIDTH = 100


class Command(BaseCommand):
    help = "Print a report from a site's captured records. Reports: tokoro."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", default="", help="the report: tokoro")
        parser.add_argument("--json", action="store_true", help="everything, unrounded, as JSON")
        parser.add_argument(
            "--site",
            metavar="PREFIX",
            default=RECONSTRUCTION,
            help="the site's prefix; without it the reconstruction of Tokoro 2009",
        )

    def handle(self, *args: Any, name: str, site: str, **options: Any) -> None:
        if name != "tokoro":
            raise CommandError(f"There is no report “{name}”. Ask for: report tokoro.")
        chosen = Site.objects.filter(prefix=site.upper()).first()
        if chosen is None:
            hint = " Run load_tokoro first, or name a site with --site." * (site == RECONSTRUCTION)
            raise CommandError(f"There is no site with the prefix {site}.{hint}")
        with scope(User.objects.system("datasets"), [chosen.pk]):
            found = report(baseline_cases(Participant.objects.filter(site=chosen)))
        if options["json"]:
            self.stdout.write(json.dumps(_machine_readable(chosen, found), indent=2))
        else:
            self.stdout.write("\n".join(_text(chosen, found)))


def _machine_readable(site: Site, found: Report) -> dict[str, Any]:
    return {
        "report": "tokoro",
        "site": {"prefix": site.prefix, "name": site.name},
        "on": site.today.isoformat(),
        "reconstruction": site.prefix == RECONSTRUCTION,
        "conventions": conventions() if site.prefix == RECONSTRUCTION else [],
        "quartiles": QUARTILES,
        **asdict(found),
    }


def _text(site: Site, found: Report) -> list[str]:
    lines = [f"Calcification in chronic venous insufficiency: {site.name}", ""]
    if site.prefix == RECONSTRUCTION:
        lines += ["A row-level reconstruction that matches every published aggregate;"]
        lines += ["no patient data.", ""]
    if found.empty:
        return [*lines, "No participant has an assessable film with a final grade at baseline yet."]
    for table in tables(found):
        lines += [*_drawn(table), ""]
    if site.prefix == RECONSTRUCTION:
        lines += [*_drawn(published()), "", "Conventions of the reconstruction"]
        for convention in conventions():
            lines += textwrap.wrap(
                convention, WIDTH, initial_indent="  - ", subsequent_indent="    "
            )
    return lines


def _drawn(table: Table) -> list[str]:
    """A table in columns; the last column is not padded."""
    grid = [table.columns, *table.rows]
    widths = [max(len(row[column]) for row in grid) for column in range(len(table.columns))]
    drawn = [
        "  "
        + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in grid
    ]
    rule = "  " + "─" * min(WIDTH, max(map(len, drawn)) - 2)
    notes = textwrap.wrap(table.note, WIDTH, initial_indent="  ", subsequent_indent="  ")
    return [table.caption, drawn[0], rule, *drawn[1:], *notes]
