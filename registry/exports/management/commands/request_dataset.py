"""``manage.py request_dataset``: ask for a dataset, and approve it, as the pages do."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from registry.access.models import User
from registry.access.scope import user_scope
from registry.core.errors import RefusedError
from registry.exports import actions, rules
from registry.exports.formats import FORMATS, USUAL
from registry.exports.models import DatasetProject
from registry.exports.profiles import PROFILES, SAFE_HARBOR

DEMO = settings.BASE_DIR / "fixtures" / "demo_study.json"


class Command(BaseCommand):
    help = "Asks for a dataset and prints the number of the request; a steward may approve at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--project", required=True, metavar="NAME", help="a new one, or its own"
        )
        parser.add_argument("--purpose", default="", help="of a new project")
        parser.add_argument("--profile", default=SAFE_HARBOR.code, choices=list(PROFILES))
        forms, arms = list(rules.forms()), list(rules.arms())
        for name, known, usual in (
            ("formats", list(FORMATS), list(USUAL)),
            ("forms", forms, forms),
            ("arms", arms, arms),
        ):
            unsaid = "all" if usual == known else ",".join(usual)
            parser.add_argument(
                f"--{name}",
                default=usual,
                type=lambda text: [part.strip() for part in text.split(",") if part.strip()],
                help=f"separated by commas, {unsaid} when not given: {', '.join(known)}",
            )
        parser.add_argument(
            "--by", metavar="E-MAIL", help="the researcher; in the demo there is one"
        )
        parser.add_argument("--approve-by", metavar="E-MAIL", help="the steward; the demo has one")

    def handle(self, *args: Any, **options: Any) -> None:
        demo = _demo()
        by = _user(options["by"] or demo.get("researcher"), "Say who asks: --by E-MAIL.")
        name: str = options["project"]
        project = DatasetProject.objects.filter(researcher=by, title=name.strip()).first()
        try:
            with user_scope(by):
                asked = actions.request_dataset(
                    by=by,
                    project=project,
                    title=name,
                    purpose=options["purpose"] or f"Asked for by command: {name}",
                    **{key: options[key] for key in ("profile", "formats", "forms", "arms")},
                )
            if address := options["approve_by"] or demo.get("steward"):
                steward = _user(address, "")
                with user_scope(steward):
                    actions.approve_request(by=steward, request=asked)
        except RefusedError as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(str(asked.pk))


def _demo() -> dict[str, str]:
    """The researcher and the steward of the demo, where it is the demo."""
    people: dict[str, str] = json.loads(DEMO.read_text())["dataset"]
    both = {role: people[role] for role in ("researcher", "steward")}
    return both if User.objects.filter(email__in=both.values()).count() == len(both) else {}


def _user(address: str | None, otherwise: str) -> User:
    if not address:
        raise CommandError(otherwise)
    try:
        return User.objects.get(email__iexact=address, is_system=False)
    except User.DoesNotExist:
        raise CommandError(f"Nobody has the address {address}.") from None
