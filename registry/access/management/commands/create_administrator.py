"""The first account of a production system, which nobody is there to create."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from registry.access.actions import AccessError, create_administrator
from registry.access.models import User
from registry.access.scope import scope


class Command(BaseCommand):
    help = "Create an administrator and print the link by which they set their password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", required=True)

    def handle(self, *args: Any, email: str, name: str, **options: Any) -> None:
        by = User.objects.system("migration")
        try:
            validate_email(email)
            with scope(by, []):
                link = create_administrator(by=by, email=email, name=name)
        except ValidationError:
            raise CommandError(f"“{email}” is no e-mail address.") from None
        except AccessError as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(f"{name} sets a password here, once:\n{link}")
