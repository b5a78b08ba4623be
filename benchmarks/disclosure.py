"""Each step of disclosure control against one GROUP BY over the same columns, in one run.

Run it with ``make bench``. In a database of its own the owner draws 100,000 synthetic people at 50
sites; each round asks for the bare GROUP BY and every step of both profiles in turn, and for whole
reports. Figures are medians; a step's has a limit. The results go to ``docs/benchmarks.md``.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import Any

import psycopg

from benchmarks import bare
from benchmarks.results import put
from registry.exports.disclosure.declared import DISCLOSURES, SUPPRESSED
from tests import databases

PEOPLE, SITES, ROUNDS = 100_000, 50, 11
LIMIT = 3
K = {"limited": 5, "safe_harbor": 11}

# Many old, and sites of very different size.
DRAWN = f"""
    SELECT setseed(0.5);
    CREATE TEMP TABLE known AS
    SELECT id, CASE WHEN random() < 0.6 THEN 'female' ELSE 'male' END AS sex,
        (18 + 72 * sqrt(random()))::int AS age,
        2015 + (random() * 9)::int || '-H' || 1 + (random())::int AS period,
        1 + ({SITES} * random() ^ 3)::int AS site, NULL::boolean AS small,
        CASE WHEN random() < 0.08 THEN 'death' END AS major_event,
        CASE WHEN random() < 0.2 THEN 'healed' END AS ulcer_outcome, random() < 0.1 AS ended_early
    FROM generate_series(1, {PEOPLE}) id;
    UPDATE known SET small = site IN (SELECT site FROM known GROUP BY site HAVING count(*) < 1000);
    VACUUM known;
"""
BARE = "SELECT count(*) FROM (SELECT count(*) FROM known GROUP BY sex, age, period, site) c"
COUNTED = "SELECT release.measure('pg_temp.known', release.columns_of(%s, '%%s'), %s)"
REPORT = "SELECT release.disclose(%s, %s, %s, %s)"


def milliseconds(session: psycopg.Connection[Any], query: str, *about: Any) -> float:
    began = time.perf_counter()
    session.execute(query, about).fetchall()  # type: ignore[arg-type]
    return (time.perf_counter() - began) * 1000


def rounds(session: psycopg.Connection[Any]) -> dict[tuple[str, str], float]:
    """(profile, step) → median; that of the bare GROUP BY has neither, a report's no step."""
    found: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS + 1):
        taken = {("", ""): milliseconds(session, BARE)}
        for code, declared in DISCLOSURES.items():
            about = declared.as_json()
            for step in about["steps"]:
                counted = milliseconds(session, COUNTED, json.dumps(step), K[code])
                taken[code, step["step"]] = counted
            both = [json.dumps(about[part]) for part in ("steps", "outcomes")]
            taken[code, ""] = milliseconds(session, REPORT, *both, K[code], SUPPRESSED)
            session.execute("DROP TABLE shown")
        for which, one in taken.items() if number else ():  # the first round warms up
            found.setdefault(which, []).append(one)
    return {which: statistics.median(taken) for which, taken in found.items()}


def main() -> int:
    name = "bench_disclosure"
    with databases.clone(databases.template(), name), bare.connect(name, "owner") as session:
        session.autocommit = True
        for statement in DRAWN.split(";"):
            if statement.strip():
                session.execute(statement)  # type: ignore[arg-type]
        taken = rounds(session)
    one = taken.pop(("", ""))
    lines = [
        f"Medians of {ROUNDS} rounds on {os.cpu_count()} cores, {PEOPLE:,} people, {SITES} sites.",
        "",
        "| Step | ms | Of one GROUP BY | Limit |",
        "|---|--:|--:|--:|",
        f"| `GROUP BY` sex, age, half-year and site | {one:.0f} |  |  |",
    ]
    held = True
    for (profile, step), took in taken.items():
        words = f"{profile}, {step}" if step else f"{profile}, the whole report"
        figures = f"{took / one:.2f} × | {LIMIT} ×" if step else "| "
        lines.append(f"| {words} | {took:.0f} | {figures} |")
        held &= not step or took <= LIMIT * one
    print("\n".join(lines))
    put("disclosure", lines)
    if not held:
        print("Beyond the limit.")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
