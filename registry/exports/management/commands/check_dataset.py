"""``manage.py check_dataset PATH``: whether a downloaded dataset is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.exports.verification import problems


class Command(BaseCommand):
    help = "Verify a downloaded dataset, a zip or the folder it was unpacked into."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("path", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["path"]
        if not path.exists():
            raise CommandError(f"{path}: there is no such file or folder.")
        found = list(problems(path))
        for problem in found:
            self.stderr.write(problem)
        if found:
            raise CommandError(f"{path} is not whole.")
        self.stdout.write(f"{path} is whole: every file, row and column is as delivered.")
