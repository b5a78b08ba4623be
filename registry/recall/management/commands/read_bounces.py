"""Take in the mails that came back, from where the mail server puts them."""

from __future__ import annotations

import mailbox
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from registry.access.models import User
from registry.recall import actions
from registry.recall.actions import Outcome

TRY_AGAIN = 75  # EX_TEMPFAIL: the mail server keeps the message and hands it over later


class Command(BaseCommand):
    help = (
        "Takes in mails that came back. A message that was understood leaves the mailbox, once"
        " what it says is written; the others stay for a person to read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--mbox", metavar="FILE", help="a file that the mail server appends to")
        source.add_argument("--maildir", metavar="FOLDER", help="a folder with “new” and “cur”")
        source.add_argument(
            "stdin",
            metavar="-",
            nargs="?",
            choices=["-"],
            help="one message, as a mail server's pipe gives it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        by = User.objects.system("recall")
        try:
            outcomes = Counter(self._outcomes(by, options))
        except OperationalError as error:
            raise CommandError(f"No database: {error}", returncode=TRY_AGAIN) from error
        self.stdout.write(_in_words(outcomes))

    def _outcomes(self, by: User, options: dict[str, Any]) -> Iterator[Outcome]:
        if options["mbox"]:
            return _from_mbox(by, Path(options["mbox"]))
        if options["maildir"]:
            return _from_maildir(by, Path(options["maildir"]))
        return iter([actions.take_in(by=by, raw=sys.stdin.buffer.read())])


def _from_mbox(by: User, path: Path) -> Iterator[Outcome]:
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    box = mailbox.mbox(path, create=False)
    try:
        box.lock()
    except mailbox.ExternalClashError:
        raise CommandError(f"{path} is in use; try again later.", returncode=TRY_AGAIN) from None
    try:
        for key in list(box.iterkeys()):
            outcome = actions.take_in(by=by, raw=box.get_bytes(key))
            if outcome != Outcome.UNKNOWN:
                box.discard(key)
            yield outcome
    finally:
        box.flush()
        box.close()


def _from_maildir(by: User, folder: Path) -> Iterator[Outcome]:
    new, seen = folder / "new", folder / "cur"
    if not (new.is_dir() and seen.is_dir()):
        raise CommandError(f"{folder} is no maildir: it has no folders “new” and “cur”.")
    for path in sorted(new.iterdir()):
        outcome = actions.take_in(by=by, raw=path.read_bytes())
        if outcome != Outcome.UNKNOWN:
            path.rename(seen / f"{path.name}:2,S")
        yield outcome


def _in_words(outcomes: Counter[Outcome]) -> str:
    words = {
        Outcome.HARD: "came back for good",
        Outcome.SOFT: "not delivered yet",
        Outcome.AGAIN: "read before",
        Outcome.AUTOMATIC: "automatic answers",
        Outcome.UNKNOWN: "not understood, or not about our mails: left where they were",
    }
    counts = [f"{outcomes[one]} {said}" for one, said in words.items() if outcomes[one]]
    return f"{outcomes.total()} read{': ' if counts else ''}{', '.join(counts)}."
