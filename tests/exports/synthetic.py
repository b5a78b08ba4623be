"""Synthetic people before disclosure control, and what it makes of them, without a cohort."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas
import psycopg

from registry.exports.disclosure.declared import DISCLOSURES, SMALL_SITE, SUPPRESSED

QUASI = ["sex", "age", "period", "site"]
OUTCOMES = ["major_event", "ulcer_outcome", "left"]


def population(seed: int, number: int, sites: int = 6) -> pandas.DataFrame:
    """People as a registry has them: many old, sites of very different size, few events."""
    draw = random.Random(seed)
    sizes = [2**-site for site in range(sites)]
    rows = [
        {
            "id": key,
            "sex": draw.choices(["female", "male", "other"], [60, 39, 1])[0],
            "age": min(90, max(18, round(draw.gauss(66, 14)))),
            "period": f"{draw.randint(2018, 2024)}-H{draw.randint(1, 2)}",
            "site": draw.choices(range(1, sites + 1), sizes)[0],
            "major_event": draw.choices([None, "amputation_toe", "death"], [90, 3, 7])[0],
            "ulcer_outcome": draw.choices([None, "healed", "censored"], [70, 20, 10])[0],
            "ended_early": draw.choices([None, False, True], [80, 5, 15])[0],
        }
        for key in range(1, number + 1)
    ]
    return pandas.DataFrame(rows)


@dataclass
class Disclosed:
    """The report, and what is shown of each, in the order of their keys."""

    report: dict[str, Any]
    shown: pandas.DataFrame


def disclosed(
    session: psycopg.Connection[Any],
    people: pandas.DataFrame,
    profile: str,
    k: int,
    share: Decimal = SUPPRESSED,
) -> Disclosed:
    """Disclosure control of a population, in an owner's session in which nothing of it stays."""
    session.rollback()
    session.execute(
        "CREATE TEMP TABLE known (id bigint, sex text, age int, period text, site bigint,"
        " major_event text, ulcer_outcome text, ended_early boolean)"
    )
    with session.cursor().copy("COPY known FROM STDIN") as copy:
        for row in people.astype(object).where(people.notna(), None).itertuples(index=False):
            copy.write_row(row)
    session.execute("ALTER TABLE known ADD small boolean")
    session.execute(
        "UPDATE known SET small = site IN"
        " (SELECT site FROM known GROUP BY site HAVING count(*) < %s)",
        [SMALL_SITE * k],
    )
    declared = DISCLOSURES[profile].as_json()
    about = [json.dumps(declared[part]) for part in ("steps", "outcomes")]
    [(report,)] = session.execute("SELECT release.disclose(%s, %s, %s, %s)", [*about, k, share])
    if report["blocked"]:
        return Disclosed(report, pandas.DataFrame())
    values = ", ".join(f"outcomes ->> '{name}' AS {name}" for name in OUTCOMES)
    rows = session.execute(
        "SELECT id, class, sex, lower(age) AS age, upper(age) AS below, period, site,"
        f" {values} FROM shown ORDER BY id"
    )
    names = [column.name for column in rows.description or ()]
    return Disclosed(report, pandas.DataFrame(rows.fetchall(), columns=names, dtype=object))
