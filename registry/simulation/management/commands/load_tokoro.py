"""``manage.py load_tokoro``: the reconstruction of Tokoro et al. 2009, as a site."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.core.errors import RefusedError
from registry.simulation.tokoro import SITE_NAME, load


class Command(BaseCommand):
    help = (
        "Enter the reconstruction of Tokoro et al. 2009 as a site. It matches every published"
        " aggregate and is no patient data. Running it again changes nothing."
    )

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        try:
            entered = load(progress=verbosity > 0)
        except RefusedError as error:
            raise CommandError(str(error)) from error
        if not verbosity:
            return
        if entered:
            self.stdout.write(f"{SITE_NAME}: {entered} participants entered. No patient data.")
        else:
            self.stdout.write(f"{SITE_NAME} is already there; nothing changed.")
