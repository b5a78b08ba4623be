"""Write a synthetic cohort whose truth is known."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from registry.simulation.cohort import people
from registry.simulation.writing import sites, write


class Command(BaseCommand):
    help = "Write a plausible synthetic cohort; the same seed and day give the same cohort."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--participants", type=int, default=300)
        parser.add_argument("--sites", type=int, default=3)
        parser.add_argument("--years", type=float, default=4, help="years of enrolment until --on")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--on", type=date.fromisoformat, help="the cohort's day (today)")

    def handle(self, *args: Any, **options: Any) -> None:
        count, years = options["participants"], options["years"]
        if count < 1 or not 1 <= options["sites"] <= 99 or not 0 < years <= 50:
            raise CommandError(
                "Give at least 1 participant, 1 to 99 sites and more than 0 up to 50 years."
            )
        today = options["on"] or timezone.localdate()
        cohort = people(options["seed"], count, years, today)
        quiet = options["verbosity"] == 0
        with tqdm(total=count, unit=" participants", disable=quiet, mininterval=1) as progress:
            for written in write(cohort, sites(options["sites"])):
                progress.update(written)
        if not quiet:
            self.stdout.write(f"{count} synthetic participants written.")
