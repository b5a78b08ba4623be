"""Run every check over everything now: the action that the timetable calls by night."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.core.numbers import UnreadableError
from registry.participants.models import Participant
from registry.visits import recheck


class Command(BaseCommand):
    help = "Runs every check over all participants, of one site, or over one participant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", metavar="PREFIX", help="only this site, such as TKY")
        parser.add_argument("--participant", metavar="NUMBER", help="only this study number")

    def handle(self, *args: Any, **options: Any) -> None:
        by = User.objects.system("recheck")
        sites = list(Site.objects.all())
        if prefix := options["site"]:
            sites = [site for site in sites if site.prefix == prefix.upper()]
            if not sites:
                raise CommandError(f"There is no site “{prefix}”.")
        if options["participant"]:
            self._one(by, sites, options["participant"])
            return
        failed = [recheck.report(site, some) for site in sites if (some := self._site(by, site))]
        if failed:
            raise CommandError("\n".join(failed))

    def _one(self, by: User, sites: list[Site], number: str) -> None:
        for site in sites:
            with scope(by, [site.pk]):
                try:
                    found = Participant.objects.numbered(number, [site.pk]).first()
                except UnreadableError as error:
                    raise CommandError(str(error)) from None
                if found:
                    recheck.check_participants(by=by, site=site, participants=[found.pk])
                    self.stdout.write(f"{found}: checked.")
                    return
        raise CommandError(f"There is no participant “{number}”.")

    def _site(self, by: User, site: Site) -> list[int]:
        """Check the whole site; the participants whose check raised."""
        with scope(by, [site.pk]):
            total = Participant.objects.filter(site=site).count()
        failed: list[int] = []
        began, upto = time.monotonic(), 0
        with tqdm(total=total, desc=site.prefix, unit="participant") as bar:
            while True:
                with scope(by, [site.pk]):
                    chunk, raised = recheck.check_next(by=by, site=site, after=upto)
                if not chunk:
                    break
                upto, failed = chunk[-1], failed + raised
                bar.update(len(chunk))
        rate = bar.n / max(time.monotonic() - began, 0.001)
        self.stdout.write(f"{site.prefix}: {bar.n} participants checked, {rate:.0f} a second.")
        return failed
