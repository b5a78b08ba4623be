"""Stata, SPSS and SAS files of 100,000 visits, against pyreadstat alone on the same table.

Run it with ``make bench``. Ours reads the finished Parquet, gives codes numbers and missing values
their reasons, looks whether every value fits, and writes; pyreadstat gets what our file holds, as a
frame that is ready in memory, and writes it without labels. The results go to
``docs/benchmarks.md``.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import zipfile
from functools import partial
from pathlib import Path

import pyreadstat
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone, translation

from benchmarks.datasets import SMALL, TABLE, Laboratories, approved, timed
from benchmarks.results import put
from registry.exports import actions
from registry.exports.about.codebook import describe
from registry.exports.formats import FORMATS, made
from registry.exports.formats.finished import Finished
from registry.exports.profiles import SAFE_HARBOR
from registry.exports.tables import tables_for
from tests import databases

ROUNDS = 5
LIMIT = 0.9
BARE = {
    "stata": (pyreadstat.read_dta, pyreadstat.write_dta),
    "spss": (pyreadstat.read_sav, pyreadstat.write_sav),
    "xpt": (pyreadstat.read_xport, pyreadstat.write_xport),
}


def tables(folder: Path) -> Finished:
    """The tables of a dataset of a laboratory form a visit."""
    name = f"bench_packages_{SMALL}"
    one = Laboratories(SMALL, name)
    with databases.clone(databases.template(), name):
        one.enter()
        one.fill()
        dataset = actions.build_now(request=approved("parquet"))
        with default_storage.open(dataset.stored_as) as file, zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
    with translation.override("en"):
        described = describe(SAFE_HARBOR, tables_for(SAFE_HARBOR, [TABLE]))
    return Finished(folder / FORMATS["parquet"].folder, described, timezone.now())


def rates(finished: Finished, folder: Path) -> dict[str, tuple[float, float]]:
    """Format → rows a second of pyreadstat alone, and ours: medians, both in turn in each round."""
    described = next(one for one in finished.tables if one.table.name == TABLE)
    rows, found = finished.rows(TABLE), {}
    for code, one in made(BARE).items():
        read, write = BARE[code]
        path = folder / f"ours{one.suffix}"
        one.write(finished, described, path)
        frame = read(path)[0]
        frame = frame.astype(dict.fromkeys(frame.select_dtypes("str"), object))  # the faster
        bare, ours = [], []
        for _round in range(ROUNDS):
            bare.append(timed(partial(write, frame, folder / "bare")))
            ours.append(timed(partial(one.write, finished, described, path)))
        found[code] = rows / statistics.median(bare), rows / statistics.median(ours)
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        settings.MEDIA_ROOT = f"{scratch}/media"
        folder = Path(scratch)
        finished = tables(folder)
        found = rates(finished, folder)
        columns = len(next(one for one in finished.tables if one.table.name == TABLE).columns)
        rows = finished.rows(TABLE)
    lines = [
        f"Medians of {ROUNDS} rounds, {rows:,} visits with {columns} columns each.",
        "",
        "| Format | pyreadstat alone, rows a second | Ours | Ratio | Limit |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {FORMATS[code].label} | {bare:,.0f} | {ours:,.0f} | {ours / bare:.2f} | {LIMIT} |"
            for code, (bare, ours) in found.items()
        ),
    ]
    print("\n".join(lines))
    put("packages", lines)
    held = all(ours >= LIMIT * bare for bare, ours in found.values())
    if not held:
        print("Beyond a limit.")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
