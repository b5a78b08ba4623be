"""A system check: every item has a rule by which it leaves, and every rule an item."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from registry.core import codebook

from .profiles import PROFILES, Profile, UnmappedError
from .tables import tables

LONGEST_NAME = 63  # PostgreSQL cuts longer names, and two could become one


@register()
def every_item_has_a_rule(**kwargs: Any) -> list[CheckMessage]:
    return [problem for profile in PROFILES.values() for problem in problems_of(profile)]


def problems_of(profile: Profile) -> list[CheckMessage]:
    """Items without a rule (E010), columns that collide (E011), rules without an item (E012)."""
    found: list[CheckMessage] = []
    known: set[str] = set()
    for entry in codebook.entries():
        known |= {entry.name, f"{entry.form}.{entry.name}"}
        try:
            list(profile.columns(entry, "t"))
        except UnmappedError as error:
            found.append(
                Error(
                    str(error),
                    hint=f"Say it in the mapping of {profile.code} in exports/profiles.py.",
                    id="saphena.E010",
                )
            )
    if not found:
        for table in tables(profile):
            names = [column.name for column in table.columns]
            found += [
                Error(
                    f"{profile.code}: {table.name}.{name} cannot be told apart.", id="saphena.E011"
                )
                for name in names
                if names.count(name) > 1 or len(name) > LONGEST_NAME
            ]
    found += [
        Error(f"{profile.code} maps {name}, which is no item.", id="saphena.E012")
        for name in profile.mapping
        if name not in known
    ]
    return found
