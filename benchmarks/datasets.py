"""Datasets of a million visits, against bare COPY, pandas and Django on the same rows.

Run it with ``make bench``. One table of the release is written as csv.gz and Parquet, ordered and
as of its cut-off, and in turn its peers do the same or less; medians of five rounds. Then the
memory of whole builds, and how pages fare while they run. The results go to ``docs/benchmarks.md``.
"""

from __future__ import annotations

import csv
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.urls import reverse

from benchmarks import bare
from benchmarks.crowd import laboratory, load
from benchmarks.pages import Registry
from benchmarks.results import put
from registry.access.models import Site, User
from registry.access.scope import scope
from registry.crfs.models import Laboratory
from registry.exports import actions, tasks
from registry.exports.actions import building
from registry.exports.archive import Delivery
from registry.exports.models import Dataset, DatasetProject, DatasetRequest
from tests import databases

SMALL, LARGE = 9_000, 90_000  # participants, with eleven visits each
ROUNDS = 5
VIEWS = 150  # pages opened for each percentile
TABLE = "laboratory"
ITEMS = [str(field.column) for field in Laboratory._meta.concrete_fields if hasattr(field, "item")]
JOIN = (
    "SELECT p.study_number, p.enrolled_on, v.code, t.* FROM crfs_laboratory t"
    " JOIN visits_formentry e ON e.id = t.entry_id JOIN visits_visit v ON v.id = e.visit_id"
    " JOIN participants_participant p ON p.id = e.participant_id"
)
LIMIT, THAN_DJANGO, THAN_PANDAS = 0.45, 4, 8
# Megabytes; what holds a whole table in memory has no limit but that of its values.
MEMORY = {"csv": 150, "csv,parquet": 400, "stata": None, "spss": None, "xpt": None}
SLOWER = 4 / 3
TURNS = 3  # with and without builds beside


class Laboratories(Registry):
    """A laboratory form at every visit, and nothing else."""

    def fill(self) -> None:
        with bare.connect(self.name, "owner") as connection:
            load(connection, self.people, self.by, self.today, laboratory)
            found = connection.execute("SELECT count(*) FROM crfs_laboratory").fetchone()
            assert found
            self.visits = found[0]


@contextmanager
def registries() -> Iterator[list[Laboratories]]:
    """Both in turn; the database in use stays that of the last one entered."""
    found = [Laboratories(people, f"bench_datasets_{people}") for people in (SMALL, LARGE)]
    template = databases.template()
    with databases.clone(template, found[0].name), databases.clone(template, found[1].name):
        for one in found:
            databases.use(one.name)
            one.enter()
            one.fill()
            print(f"{one.visits:,} laboratory forms of {one.people:,} participants")
        yield found


def approved(formats: str, project: DatasetProject | None = None) -> DatasetRequest:
    """A request, of a new project unless one is given: then pseudonyms are drawn anew."""
    researcher, steward = (User.objects.get(email=f"{who}@example.org") for who in ("fay", "jun"))
    with patch.object(tasks.build_dataset, "delay", lambda number: None):
        asked = actions.request_dataset(
            by=researcher,
            project=project,
            profile="safe_harbor",
            forms=[TABLE],
            arms=["cvi", "control"],
            title="Benchmark",
            purpose="Speed",
            formats=formats.split(","),
        )
        actions.approve_request(by=steward, request=asked)
    return asked


# -- one table, and its peers -----------------------------------------------------------------


def copy_alone(name: str) -> None:
    """The bare limit: the table as it is, through psycopg, thrown away."""
    with (
        bare.connect(name, "owner") as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {Laboratory._meta.db_table} TO STDOUT (FORMAT csv)") as stream,
    ):
        for _message in stream:
            pass


def ours(request: DatasetRequest) -> tuple[float, float]:
    """Seconds of the table's one pass, and of the whole build.

    The pass holds all that makes its rows: the look at the history since the cut-off, who is in
    the dataset, the pseudonyms, the order; and its files.
    """
    took = 0.0

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            nonlocal took
            began = time.perf_counter()
            result = work(*given)
            if work is prepare or given[1].name == TABLE:
                took += time.perf_counter() - began
            return result

        return run

    prepare, write = building._prepare, Delivery._write_table
    with (
        patch.object(building, "_prepare", watched(prepare)),
        patch.object(Delivery, "_write_table", watched(write)),
    ):
        began = time.perf_counter()
        dataset = actions.build_now(request=request)
        assert dataset.state == Dataset.State.READY, dataset.error
        return took, time.perf_counter() - began


def with_pandas(name: str) -> None:
    """What an analyst would write: chunks of the joined rows, days worked out, csv.gz."""
    import pandas

    names: dict[str, str] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        bare.connect(name, "owner") as connection,
        gzip.open(Path(folder, "t.csv.gz"), "wt", compresslevel=1) as file,
    ):
        for chunk in pandas.read_sql(JOIN, connection, chunksize=50_000):
            chunk["participant"] = [
                names.setdefault(one, f"P{len(names)}") for one in chunk.pop("study_number")
            ]
            enrolled = pandas.to_datetime(chunk.pop("enrolled_on"))
            for day in ("done_on", "sampled_on"):
                chunk[day] = (pandas.to_datetime(chunk[day]) - enrolled).dt.days
            chunk.to_csv(file, index=False)


def with_django(user: User, sites: list[int]) -> None:
    """``values_list().iterator()`` and csv, days worked out."""
    fields = ["entry__participant__enrolled_on", "entry__participant", "entry__visit__code"]
    days = [ITEMS.index(name) + 1 for name in ("done_on", "sampled_on")]
    names: dict[int, str] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        scope(user, sites),
        gzip.open(Path(folder, "t.csv.gz"), "wt", compresslevel=1) as file,
    ):
        writer = csv.writer(file)
        rows = Laboratory.objects.values_list(*fields, *ITEMS)
        for row in rows.iterator(chunk_size=5_000):
            enrolled, person, *values = row
            for day in days:
                values[day] = (values[day] - enrolled).days
            writer.writerow([names.setdefault(person, f"P{len(names)}"), *values])


def speeds(one: Laboratories) -> dict[str, float]:
    """Median seconds of each, all in turn in each round."""
    user, sites = User.objects.get(pk=one.by), list(Site.objects.values_list("pk", flat=True))
    taken: dict[str, list[float]] = {}
    for number in range(ROUNDS + 1):
        first = approved("csv,parquet")
        both, whole = ours(first)
        again = approved("csv,parquet", first.project)
        found = {
            "`COPY` of the table, thrown away": timed(lambda: copy_alone(one.name)),
            "csv.gz and Parquet": both,
            "The same, a later release": ours(again)[0],
            "csv.gz alone": ours(approved("csv"))[0],
            "The whole build": whole,
            "Django's `values_list().iterator()`": timed(lambda: with_django(user, sites)),
            "pandas": timed(lambda: with_pandas(one.name)),
        }
        for name, seconds in found.items() if number else ():  # the first round warms up
            taken.setdefault(name, []).append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def speed_table(seconds: dict[str, float], rows: int) -> tuple[list[str], bool]:
    bare_, both, django_, pandas_ = (
        seconds[name]
        for name in (
            "`COPY` of the table, thrown away",
            "csv.gz and Parquet",
            "Django's `values_list().iterator()`",
            "pandas",
        )
    )
    lines = [
        "| Path | Rows a second | Of bare `COPY` | We are faster by | Limit |",
        "|---|--:|--:|--:|--:|",
    ]
    limits = {
        "csv.gz and Parquet": f"{LIMIT} of `COPY`",
        "Django's `values_list().iterator()`": f"{THAN_DJANGO} ×",
        "pandas": f"{THAN_PANDAS} ×",
    }
    for name, one in seconds.items():
        faster = f"{one / both:.1f} ×" if one in (django_, pandas_) else ""
        figures = f"{rows / one:,.0f} | {bare_ / one:.2f} | {faster} | {limits.get(name, '')}"
        lines.append(f"| {name} | {figures} |")
    held = bare_ / both >= LIMIT and django_ / both >= THAN_DJANGO
    return lines, held and pandas_ / both >= THAN_PANDAS


# -- memory, and pages meanwhile --------------------------------------------------------------


def in_a_process(one: Laboratories, formats: str, times: int = 1) -> subprocess.Popen[str]:
    """Builds one after the other, at the low priority of the dataset worker."""
    databases.use(one.name)
    command = ["nice", "-n", "15", sys.executable, "-m", "benchmarks.builder", one.name]
    request = str(approved(formats).pk)
    return subprocess.Popen([*command, request, str(times)], stdout=subprocess.PIPE, text=True)


def memory(found: list[Laboratories]) -> tuple[list[str], bool]:
    lines = [
        "| Memory of the builder | "
        + " | ".join(f"{one.visits:,} visits, MB" for one in found)
        + " | Limit |",
        "|---|--:|--:|--:|",
    ]
    held = True
    for formats, limit in MEMORY.items():
        used = []
        for one in found:
            said, _errors = in_a_process(one, formats).communicate()
            used.append(float(said.splitlines()[-1]))
        lines.append(
            f"| {formats.replace(',', ' and ')} | {used[0]:.0f} | {used[1]:.0f} | {limit or ''} |"
        )
        held &= limit is None or max(used) < limit
    return lines, held


def pages(one: Laboratories) -> tuple[list[str], bool]:
    """The 95th percentile of opening a visit, in turn with and without builds under way."""
    address = reverse("visit", args=[one.visit.pk])
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * TURNS):
        building_now = bool(number % 2)
        builder = in_a_process(one, "csv,parquet", 100) if building_now else None
        if builder:
            wait_for_rows()
        taken[building_now] += [one.get(address) for _ in range(VIEWS)]
        if builder:
            builder.kill()
            builder.wait()
            actions.sweep_builds()
    without, beside = (statistics.quantiles(taken[now], n=20)[-1] * 1000 for now in (False, True))
    lines = [
        "| Opening a visit, 95th percentile | ms | Ratio | Limit |",
        "|---|--:|--:|--:|",
        f"| alone | {without:.0f} |  |  |",
        f"| while a dataset is built | {beside:.0f} | {beside / without:.2f} | {SLOWER:.2f} |",
    ]
    return lines, beside / without <= SLOWER


def wait_for_rows() -> None:
    """Until a build under way writes rows."""
    while not Dataset.objects.filter(state="building", stage=TABLE).exists():
        time.sleep(0.05)


def main() -> int:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    with tempfile.TemporaryDirectory() as media, registries() as (small, large):
        settings.MEDIA_ROOT = os.environ["MEDIA_ROOT"] = media
        fast, is_fast = speed_table(speeds(large), large.visits)
        lean, is_lean = memory([small, large])
        calm, is_calm = pages(large)
        about = (
            f"Medians of {ROUNDS} rounds on {os.cpu_count()} cores, {large.visits:,} visits with"
            f" {len(ITEMS)} items each, {large.people:,} participants, no edits since the cut-off."
        )
    lines = [about, "", *fast, "", *lean, "", *calm]
    print("\n".join(lines))
    put("datasets", lines)
    if not (is_fast and is_lean and is_calm):
        print("Beyond a limit.")
    return int(not (is_fast and is_lean and is_calm))


if __name__ == "__main__":
    sys.exit(main())
