"""Planning recalls among a million visits, against the bare statements that find candidates.

Run it with ``make bench``. All sites are planned for one day after another, and in turn the same
statements are asked through psycopg alone; the ratio of the two has a limit. So has the memory that
planning takes in a large registry beyond a small one. The results go to ``docs/benchmarks.md``.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.pages import LARGE, RESULTS, SMALL, Registry, registries
from registry.access.models import Membership, Site, User
from registry.access.roles import Role
from registry.access.scope import scope
from registry.recall import actions
from registry.recall.actions import planning
from registry.recall.statement import Statement
from registry.recall.topics import TOPICS
from registry.recall.tuning import tuning_of
from tests import databases

DAYS = 7
LIMIT = 3.0
MEMORY_LIMIT = 30  # MB more than in the small registry
HERE = "<!-- results of planning -->"
VISITS = TOPICS[:1]


@dataclass
class Taken:
    """Seconds of each round: planning, and its statements alone."""

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


def owner_says(name: str, statement: str) -> None:
    given = settings.DATABASES["owner"]
    with psycopg.connect(
        dbname=name,
        user=given["USER"],
        password=given["PASSWORD"],
        host=given["HOST"],
        port=given["PORT"] or None,
        autocommit=True,
    ) as held:
        held.execute(statement)  # type: ignore[arg-type]


def plan(now: datetime) -> int:
    """Plan every site's day; how many occasions were due."""
    by = User.objects.system("recall")
    runs = [actions.plan(by=by, site=site, now=now, at_once=True) for site in Site.objects.all()]
    return sum(run.due for run in runs if run)


def statements(now: datetime) -> list[tuple[int, list[tuple[str, list[Any]]]]]:
    """Each site with the statements that planning asks for its candidates."""
    by, found = User.objects.system("recall"), []
    for site in Site.objects.all():
        asked: list[tuple[str, list[Any]]] = []

        def note(self: Statement, keys: Any, asked: Any = asked, **given: Any) -> Iterator[Any]:
            asked.append(self.bound(keys, **given))
            return iter(())

        with actions.at_site(site, by), patch.object(Statement, "read", note):
            today = timezone.localdate(now, site.zone)
            list(planning.find_due(site, today, tuning_of(site), list(planning.Kind)))
        found.append((site.pk, asked))
    return found


def ask(held: psycopg.Connection[Any], asked: list[tuple[int, list[tuple[str, list[Any]]]]]) -> int:
    """Ask the statements and fetch their rows, with psycopg alone; how many rows came."""
    rows = 0
    for site, ones in asked:
        with held.transaction(), psycopg.ClientCursor(held) as cursor:
            cursor.execute("SELECT set_config('registry.sites', %s, true)", [f"{{{site}}}"])
            for sql, parameters in ones:
                cursor.execute(sql, parameters)  # type: ignore[arg-type]
                rows += len(cursor.fetchall())
    return rows


def measure(held: psycopg.Connection[Any], now: datetime, taken: Taken, first: bool) -> None:
    """One day: planning and its statements alone, in turn the one or the other first."""
    asked = statements(now)

    def bare() -> None:
        began = time.perf_counter()
        taken.candidates.append(ask(held, asked))
        taken.bare.append(time.perf_counter() - began)

    if first:
        bare()
    # Rolled back, so that the statements find the same after it.
    with transaction.atomic():
        began = time.perf_counter()
        taken.due.append(plan(now))
        taken.planned.append(time.perf_counter() - began)
        transaction.set_rollback(True)
    if not first:
        bare()


@contextmanager
def web_role(name: str) -> Iterator[psycopg.Connection[Any]]:
    given = settings.DATABASES["default"]
    with psycopg.connect(
        dbname=name,
        user=given["USER"],
        password=given["PASSWORD"],
        host=given["HOST"],
        port=given["PORT"] or None,
    ) as held:
        yield held


def first_run(name: str, day: int) -> dict[str, Any]:
    """Plan every site in a process of its own: its seconds, occasions, and megabytes of memory."""
    command = [sys.executable, "-m", "benchmarks.planning", name, str(day)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def in_a_process(name: str, day: int) -> None:
    databases.use(name)
    now = timezone.now() + timedelta(days=day)
    Site.objects.count()
    before = peak()
    began = time.perf_counter()
    due = plan(now)
    took = time.perf_counter() - began
    grown = peak() - before
    connection.close()
    print(json.dumps({"seconds": took, "due": due, "megabytes": grown}))


def peak() -> float:
    """The most memory that this process has had, in megabytes.

    Not from ``getrusage``, which counts the memory of the process that started this one.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def days(large: Registry) -> tuple[Taken, Taken]:
    """Day after day in the large registry: all topics, and visits alone."""
    everything, visits = Taken(), Taken()
    with large.open(), web_role(large.name) as held:
        for day in range(2, DAYS + 4):
            now = timezone.now() + timedelta(days=day)
            warm = day > 3  # the first two rounds do not count
            measure(held, now, everything if warm else Taken(), bool(day % 2))
            with patch.object(planning, "TOPICS", VISITS):
                measure(held, now, visits if warm else Taken(), bool(day % 2))
            plan(now)
    return everything, visits


def table(everything: Taken, visits: Taken) -> list[str]:
    lines = [
        "| A day's planning of all sites | Statements alone, s | Planning, s | Ratio | Limit |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, taken in (("Everything", everything), ("Visits alone", visits)):
        bare, planned = (statistics.median(ones) for ones in (taken.bare, taken.planned))
        lines.append(f"| {name} | {bare:.2f} | {planned:.2f} | {taken.ratio:.2f} | {LIMIT:.0f} |")
    return lines


def memory(runs: dict[str, list[dict[str, Any]]]) -> tuple[list[str], float]:
    """Memory that planning took beyond what the process had, and the most it took more."""
    lines = [
        f"| Memory beyond the start | {SMALL:,} participants, MB | {LARGE:,} participants, MB"
        " | More, MB | Limit |",
        "|---|--:|--:|--:|--:|",
    ]
    most = 0.0
    for name, (small, large) in runs.items():
        more = large["megabytes"] - small["megabytes"]
        most = max(most, more)
        lines.append(
            f"| {name} | {small['megabytes']:.1f} | {large['megabytes']:.1f} | {more:.1f}"
            f" | {MEMORY_LIMIT} |"
        )
    return lines, most


def write(lines: list[str]) -> None:
    before, _mark, rest = RESULTS.read_text().partition(HERE)
    after = rest.partition(HERE)[2]
    RESULTS.write_text("\n".join([f"{before}{HERE}", "", *lines, "", f"{HERE}{after}"]))


def main() -> int:
    with registries() as (small, large):
        runs: dict[str, list[dict[str, Any]]] = {}
        for one in (small, large):
            with one.open():
                staff()
        for name, day in (("The first run", 0), ("The day after it", 1)):
            runs[name] = [first_run(one.name, day) for one in (small, large)]
            # As autovacuum does soon after so many new rows.
            owner_says(large.name, "VACUUM (ANALYZE) recall_recall")
        everything, visits = days(large)
    begun = runs["The first run"][1]
    about = (
        f"Medians of {DAYS} days on {large.visits:,} visits at 50 sites: about"
        f" {statistics.median(everything.candidates):,.0f} candidates a day, of which"
        f" {statistics.median(everything.due):,.0f} are due. The first run of all, which tells"
        f" {begun['due']:,} occasions at once, took {begun['seconds']:.0f} s."
    )
    used, most = memory(runs)
    lines = [about, "", *table(everything, visits), "", *used]
    print("\n".join(lines))
    write(lines)
    beyond = max(everything.ratio, visits.ratio) > LIMIT or most > MEMORY_LIMIT
    if beyond:
        print("Beyond a limit.")
    return int(beyond)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        in_a_process(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
