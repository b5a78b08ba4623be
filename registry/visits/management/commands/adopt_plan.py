"""A protocol amendment reaches the participants of the sites that adopt it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.participants.models import Participant
from registry.visits.actions import adopt_plan
from registry.visits.schedule import PLANS


class Command(BaseCommand):
    help = (
        "Move participants to a later protocol version: visits not yet started take its forms and"
        " windows, and its new visits are planned unless their window is over. What was started"
        " stays as it was. Stopped at any point, it goes on where it is run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", help="the protocol version, such as 1.1")
        parser.add_argument(
            "--site", action="append", default=[], help="prefix of a site; every site when left out"
        )
        parser.add_argument("--batch", type=int, default=100, help="participants per transaction")

    def handle(self, *args: Any, plan: str, site: list[str], batch: int, **options: Any) -> None:
        if plan not in PLANS:
            raise CommandError(f"There is no version {plan}: there are {', '.join(PLANS)}.")
        if batch < 1:
            raise CommandError("A batch has at least one participant.")
        sites = Site.objects.filter(prefix__in=site) if site else Site.objects.all()
        if unknown := set(site) - {one.prefix for one in sites}:
            raise CommandError(f"There is no site {', '.join(sorted(unknown))}.")
        by = User.objects.system("migration")
        here = [one.pk for one in sites]
        with scope(by, here):
            people = list(Participant.objects.order_by("pk").values_list("pk", flat=True))
        changed = 0
        silent = options["verbosity"] == 0
        with tqdm(total=len(people), unit="participants", disable=silent) as progress:
            for start in range(0, len(people), batch):
                some = people[start : start + batch]
                with scope(by, here):
                    changed += adopt_plan(by=by, participants=some, plan=PLANS[plan])
                progress.update(len(some))
        self.stdout.write(f"{changed} visits of {len(people)} participants follow version {plan}.")
