"""What goes with the tables of a dataset: codebook and README."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from registry.core import codebook

from .profiles import Profile
from .tables import Table

CODEBOOK = "codebook.csv"


def codebook_of(tables: Iterable[Table]) -> str:
    """One row a column of the dataset, in its order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", "column", "label", "kind", "unit", "choices", "form", "item"])
    writer.writerows(
        [
            table.name,
            column.name,
            column.label,
            column.kind,
            column.unit,
            codebook.in_one_cell(column.choices),
            column.form,
            column.item,
        ]
        for table in tables
        for column in table.columns
    )
    return text.getvalue()


def readme(manifest: dict[str, Any], profile: Profile, tables: Iterable[Table]) -> str:
    """What is in the dataset and how to read it."""
    lines = [f"  {table.name}: {table.label}" for table in tables]
    return README.format(
        profile=profile.label,
        description=profile.description,
        cut_off=manifest["cut_off"],
        code=manifest["code_version"],
        codebook=manifest["codebook_version"],
        tables="\n".join(lines),
    )


README = """Saphena registry: de-identified dataset

Profile: {profile}. {description}
Data as of {cut_off} (UTC), code {code}, codebook {codebook}.

Tables, one row for each record, joined by their first columns (participant, visit, limb, ulcer):
{tables}

Each is CSV in UTF-8, packed by gzip: RFC 4180 save that lines end with a line feed alone. An empty
value is missing; absence_codes.csv.gz says why where that was recorded. Dates are study days:
days from the participant's enrolment, which is day 0. A date known to the month or the year only,
as its column _precision says, is told in whole months of 30 or whole years of 365 days, from the
month or the year of enrolment. Yes and no are 1 and 0; an item with several choices has one such
column for each. codebook.csv describes every column.

Participants carry random names drawn for this project. They stay the same in the project's later
datasets and mean nothing elsewhere. Nobody may try to find out who they are.

manifest.json gives the rows expected and delivered for each table and the SHA-256 of each file.
"""
