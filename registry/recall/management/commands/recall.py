"""Plan and send the recalls that are due: the action that the timetable calls every minute."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from registry.access.models import Site, User
from registry.access.scope import scope
from registry.core.dates import moment
from registry.recall import actions
from registry.recall.models import Delivery

LONGEST_FORECAST = 366  # days


class Command(BaseCommand):
    help = "Plans and sends the recalls that are due, as the timetable does every minute."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--at", metavar="ISO-TIME", help="as if it were this moment: 2026-05-01T07:00+09:00"
        )
        parser.add_argument(
            "--now", action="store_true", help="as if each site's sending hour had come today"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what is due, write nothing")
        parser.add_argument(
            "--forecast", metavar="DAYS", type=int, help="say what will be told on the next days"
        )
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        now = _moment(options["at"])
        by = User.objects.system("recall")
        if options["forecast"] is not None:
            self._forecast(by, now, options["forecast"], as_json=options["json"])
            return
        report = [
            _recall(by, site, now, at_once=options["now"], dry_run=options["dry_run"])
            for site in Site.objects.all()
        ]
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2))
            return
        if not report:
            self.stdout.write("There is no site yet, so there is nothing to recall.")
        for line in report:
            self.stdout.write(_in_words(line, options["dry_run"]))

    def _forecast(self, by: User, now: datetime, days: int, *, as_json: bool) -> None:
        if not 1 <= days <= LONGEST_FORECAST:
            raise CommandError(f"Forecast 1 to {LONGEST_FORECAST} days.")
        lines = []
        for site in Site.objects.all():
            with actions.at_site(site, by):
                lines += [
                    {
                        "site": site.prefix,
                        "day": f"{one.day}",
                        "kind": str(one.kind),
                        "participant": one.line.study_number,
                        "what": one.line.what,
                    }
                    for one in actions.forecast(site=site, now=now, days=days)
                ]
        if as_json:
            self.stdout.write(json.dumps(lines, indent=2))
            return
        for line in lines:
            self.stdout.write(" ".join(line.values()))
        if not lines:
            self.stdout.write("Nothing is to be told.")


def _moment(text: str | None) -> datetime:
    try:
        return timezone.now() if text is None else moment(text)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _recall(by: User, site: Site, now: datetime, *, at_once: bool, dry_run: bool) -> dict[str, Any]:
    """Plan one site, invite, and send what waits there; what happened, ready for JSON."""
    line: dict[str, Any] = {"site": site.prefix, "day": f"{timezone.localdate(now, site.zone)}"}
    with actions.at_site(site, by):
        line["left_out"] = {user.email: because for user, because in actions.left_out(site)}
    if dry_run:
        with transaction.atomic():
            planned = _plan(by, site, now, at_once)
            transaction.set_rollback(True)
        return line | planned | {"deliveries": []}
    planned = _plan(by, site, now, at_once)
    actions.tell(by=by, site=site, now=now)
    handled = actions.unfinished(by=by, site=site)
    actions.send(by=by, waiting=[(site, some) for some in actions.batches(handled)], now=now)
    with scope(by, [site.pk]):
        deliveries = Delivery.objects.filter(pk__in=handled).order_by("pk")
        outcomes = list(deliveries.values("id", "state", "attempts", "error", "message_id"))
    return line | planned | {"deliveries": outcomes}


def _plan(by: User, site: Site, now: datetime, at_once: bool) -> dict[str, Any]:
    invited = actions.invite(by=by, site=site, now=now)
    run = actions.plan(by=by, site=site, now=now, at_once=at_once)
    return {"planned": run is not None, "due": run.due if run else 0, "invitations": invited}


def _in_words(line: dict[str, Any], dry_run: bool) -> str:
    if not line["planned"]:
        said = "too early, or planned already"
    elif dry_run:
        said = f"{line['due']} due"
    else:
        said = f"{line['due']} due, planned"
    if line["invitations"]:
        said += f", {line['invitations']} for calendars"
    states = [delivery["state"] for delivery in line["deliveries"]]
    counts = [f"{states.count(state)} {state}" for state in Delivery.State if state in states]
    errors = sorted({one["error"] for one in line["deliveries"] if one["error"]})
    mails = f"; mails: {', '.join(counts)}" if counts else ""
    why = f" ({'; '.join(errors)})" if errors else ""
    out = [f"{address} ({because})" for address, because in line["left_out"].items()]
    without = f"; not to {', '.join(out)}" if out else ""
    return f"{line['site']} {line['day']}: {said}{mails}{why}{without}"
