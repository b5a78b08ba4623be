"""``manage.py codebook [--check]``: write ``docs/codebook.csv``, or say whether it is current."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from registry.core import codebook


class Command(BaseCommand):
    help = "Write docs/codebook.csv from the declarations; with --check only say if it is stale."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "codebook.csv"
        current = codebook.as_csv()
        if not options["check"]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(current, encoding="utf-8")
            self.stdout.write(
                f"{path.relative_to(settings.BASE_DIR)}: version {codebook.version()}"
            )
        elif not path.exists() or path.read_text(encoding="utf-8") != current:
            raise CommandError("docs/codebook.csv is stale: run `make codebook` and commit it.")
