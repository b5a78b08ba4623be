"""Rotation of the vault's master key, while everybody works on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.core.encryption import SealedError
from registry.participants.actions import rewrap_identities
from registry.participants.models import Identity


class Command(BaseCommand):
    help = (
        "Wrap every identity's data key under the newest master key. First add the new key to"
        " IDENTITY_KEYS and restart all processes; when this has ended, take the old key away."
        " Stopped at any point, it goes on where it is run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows per transaction")

    def handle(self, *args: Any, batch: int, **options: Any) -> None:
        if batch < 1:
            raise CommandError("A batch has at least one row.")
        by = User.objects.system("migration")
        sites = list(Site.objects.values_list("pk", flat=True))
        with scope(by, sites, identity_sites=sites):
            total = Identity.objects.count()
        after, rewrapped = 0, 0
        with tqdm(total=total, unit="identities", disable=options["verbosity"] == 0) as progress:
            while True:
                try:
                    with scope(by, sites, identity_sites=sites):
                        after, seen, done = rewrap_identities(by=by, after=after, count=batch)
                except SealedError as error:
                    raise CommandError(f"{error} Is an old master key missing?") from error
                if not after:
                    break
                progress.update(seen)
                rewrapped += done
        self.stdout.write(f"{rewrapped} of {total} identities wrapped under the newest key.")
