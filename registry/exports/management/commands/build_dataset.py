"""``manage.py build_dataset``: build an approved request and put its files into a folder."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.core.dates import moment
from registry.core.errors import RefusedError
from registry.exports import actions
from registry.exports.models import Dataset, DatasetRequest


class Command(BaseCommand):
    help = "Builds the dataset of an approved request, as the dataset worker does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--request", required=True, type=int, metavar="N")
        parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
        parser.add_argument(
            "--cut-off",
            metavar="TIME",
            help="as of then, not of now: 2026-05-01T07:00+09:00",
        )
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        request = DatasetRequest.objects.filter(pk=options["request"]).first()
        if request is None:
            raise CommandError(f"There is no request {options['request']}.")
        out: Path = options["out"]
        try:
            actions.require_empty(out)
            dataset = actions.build_now(
                request=request,
                cut_off=None if options["cut_off"] is None else moment(options["cut_off"]),
            )
            if dataset.state == Dataset.State.FAILED:
                raise CommandError(f"Dataset {dataset.pk} failed: {dataset.error}")
            actions.unpack(dataset=dataset, folder=out)
        except (RefusedError, ValueError) as refused:
            raise CommandError(str(refused)) from None
        manifest = dataset.manifest
        if options["json"]:
            about = {"dataset": dataset.pk, "out": str(out), "sha256": dataset.sha256}
            self.stdout.write(json.dumps(about | {"manifest": manifest}, indent=2))
            return
        for table in manifest["tables"]:
            self.stdout.write(f"{table['delivered']:>9} of {table['expected']} {table['table']}")
        self.stdout.write(f"Dataset {dataset.pk} as of {manifest['cut_off']} is in {out}.")
