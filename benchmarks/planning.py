"""Planning recalls among a million visits, against the bare statements that find candidates.

Run it with ``make bench``. All sites are planned for one day after another, and in turn the same
statements are asked through psycopg alone; the ratio of the two has a limit. So has the memory that
planning takes in a large registry beyond a small one. The results go to ``docs/benchmarks.md``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import psycopg
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from benchmarks import bare
from benchmarks.memory import peak
from benchmarks.pages import LARGE, SMALL, Registry, registries
from benchmarks.results import put
from registry.access.models import Membership, Site, User
from registry.access.roles import Role
from registry.access.scope import scope
from registry.recall import actions
from registry.recall.actions import planning
from registry.recall.kinds import Kind
from registry.recall.topics import TOPICS
from registry.recall.tuning import tuning_of
from tests import databases

DAYS = 7
LIMIT = 3.0
MEMORY_LIMIT = 30  # MB more than in the small registry
MEASURED = {"Everything": TOPICS, "Visits alone": TOPICS[:1]}

# A site's key, and the statements with their parameters that planning asks there.
Asked = tuple[int, list[tuple[str, tuple[Any, ...]]]]


@dataclass
class Taken:
    """Seconds of each day: planning, and its statements alone; and how many rows and occasions."""

    planned: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    due: list[int] = field(default_factory=list)
    candidates: list[int] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return statistics.median(self.planned) / statistics.median(self.bare)


def staff() -> None:
    """Somebody to tell at every site, so that what was told stays told."""
    with scope(User.objects.system("migration"), []):
        for site in Site.objects.all():
            for role in (Role.COORDINATOR, Role.INVESTIGATOR):
                if not Membership.objects.filter(site=site, role=role).exists():
                    address = f"{role}.{site.prefix}@example.org".lower()
                    user = User.objects.create(email=address, name=address, password="!")
                    Membership.objects.create(user=user, site=site, role=role)


def plan(now: datetime) -> int:
    """Plan every site's day; how many occasions were due."""
    by = User.objects.system("recall")
    runs = [actions.plan(by=by, site=site, now=now, at_once=True) for site in Site.objects.all()]
    return sum(run.due for run in runs if run)


def statements(now: datetime) -> list[Asked]:
    """What planning asks at each site to find its candidates."""
    by, found = User.objects.system("recall"), []

    def note(rows: QuerySet[Any, Any], **_chunk: int) -> Iterator[Any]:
        asked.append(rows.query.sql_with_params())
        return iter(())

    for site in Site.objects.all():
        asked: list[tuple[str, tuple[Any, ...]]] = []
        with actions.at_site(site, by), patch.object(QuerySet, "iterator", note):
            today = timezone.localdate(now, site.zone)
            list(planning.find_due(site, today, tuning_of(site), list(Kind)))
        found.append((site.pk, asked))
    return found


def ask(held: psycopg.Connection[Any], asked: list[Asked]) -> int:
    """Ask the statements and fetch their rows, with psycopg alone; how many rows came."""
    rows = 0
    for site, ones in asked:
        with held.transaction(), psycopg.ClientCursor(held) as cursor:
            cursor.execute("SELECT set_config('registry.sites', %s, true)", [f"{{{site}}}"])
            for sql, parameters in ones:
                cursor.execute(sql, parameters)
                rows += len(cursor.fetchall())
    return rows


def measure(held: psycopg.Connection[Any], now: datetime, taken: Taken, bare_first: bool) -> None:
    """One day: planning, rolled back so that the statements find the same, and they alone."""
    asked = statements(now)

    def ask_alone() -> None:
        began = time.perf_counter()
        taken.candidates.append(ask(held, asked))
        taken.bare.append(time.perf_counter() - began)

    if bare_first:
        ask_alone()
    with transaction.atomic():
        began = time.perf_counter()
        taken.due.append(plan(now))
        taken.planned.append(time.perf_counter() - began)
        transaction.set_rollback(True)
    if not bare_first:
        ask_alone()


def in_a_process(name: str, day: int) -> dict[str, Any]:
    """Plan every site in a process of its own: its seconds, occasions, and megabytes of memory."""
    command = [sys.executable, "-m", "benchmarks.planning", name, str(day)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def alone(name: str, day: int) -> None:
    """What :func:`in_a_process` starts."""
    databases.use(name)
    Site.objects.count()
    before, began = peak(), time.perf_counter()
    due = plan(timezone.now() + timedelta(days=day))
    took, grown = time.perf_counter() - began, peak() - before
    connection.close()
    print(json.dumps({"seconds": took, "due": due, "megabytes": grown}))


def measure_days(large: Registry) -> dict[str, Taken]:
    """Day after day in the large registry: all topics, and visits alone."""
    taken = {name: Taken() for name in MEASURED}
    with large.open(), bare.connect(large.name, "default") as held:
        for day in range(2, DAYS + 4):
            now = timezone.now() + timedelta(days=day)
            for name, topics in MEASURED.items():
                with patch.object(planning, "TOPICS", topics):
                    warming_up = day < 4
                    measure(held, now, Taken() if warming_up else taken[name], bool(day % 2))
            plan(now)
    return taken


def speed(taken: dict[str, Taken]) -> list[str]:
    lines = [
        "| A day's planning of all sites | Statements alone, s | Planning, s | Ratio | Limit |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, one in taken.items():
        asked, planned = statistics.median(one.bare), statistics.median(one.planned)
        lines.append(f"| {name} | {asked:.2f} | {planned:.2f} | {one.ratio:.2f} | {LIMIT:.0f} |")
    return lines


def memory(runs: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    lines = [
        f"| Memory beyond the start | {SMALL:,} participants, MB | {LARGE:,} participants, MB"
        " | Limit |",
        "|---|--:|--:|--:|",
    ]
    for name, (small, large) in runs.items():
        used = [one["megabytes"] for one in (small, large)]
        lines.append(f"| {name} | {used[0]:.1f} | {used[1]:.1f} | {used[0] + MEMORY_LIMIT:.1f} |")
    return lines


def main() -> int:
    with registries() as (small, large):
        for one in (small, large):
            with one.open():
                staff()
        runs = {}
        for day, name in enumerate(("The first run", "The day after it")):
            runs[name] = in_a_process(small.name, day), in_a_process(large.name, day)
            with bare.connect(large.name, "owner") as owner:
                owner.autocommit = True
                # As autovacuum does soon after so many new rows.
                owner.execute("VACUUM (ANALYZE) recall_recall")
        taken = measure_days(large)
    _small, first = runs["The first run"]
    everything = taken["Everything"]
    about = (
        f"Medians of {DAYS} days on {large.visits:,} visits at 50 sites: about"
        f" {statistics.median(everything.candidates):,.0f} candidates a day, of which"
        f" {statistics.median(everything.due):,.0f} are due. The first run of all, which tells"
        f" {first['due']:,} occasions at once, took {first['seconds']:.0f} s."
    )
    lines = [about, "", *speed(taken), "", *memory(runs)]
    print("\n".join(lines))
    put("planning", lines)
    beyond = any(one.ratio > LIMIT for one in taken.values()) or any(
        large["megabytes"] - small["megabytes"] > MEMORY_LIMIT for small, large in runs.values()
    )
    if beyond:
        print("Beyond a limit.")
    return int(beyond)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        alone(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
