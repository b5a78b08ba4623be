"""Every URL of the URLconf, with what each of the cast gets there.

The expectations stand in ``urls.csv``: one line a URL and method, one column a role, in it the
status, or several that are right (``200/503``). To fill in a new URL's line:

    WRITE_URLS=1 .venv/bin/python -m pytest tests/house/test_urls.py

writes what is observed; review the difference line by line before committing it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from registry.access.scope import user_scope
from registry.participants.models import ConsentVersion
from registry.ulcers.models import Ulcer

from .. import build

TABLE = Path(__file__).with_suffix(".csv")
WRITE = "WRITE_URLS"
METHODS = ("GET", "POST")
ROLES = {
    "anonymous": None,
    "coordinator": "ana",
    "other_site": "ben",
    "investigator": "hiro",
    "viewer": "vera",
    "reader": "chen",
    "monitor": "eli",
    "data_manager": "ines",
    "researcher": "fay",
    "steward": "jun",
    "administrator": "kei",
    "outsider": "gus",
}


@dataclass(frozen=True)
class Route:
    """One pattern of the URLconf: its name with namespaces, its arguments, its text."""

    name: str
    arguments: tuple[str, ...]
    text: str


def routes() -> list[Route]:
    """Every pattern of the URLconf."""
    return list(_walk(get_resolver().url_patterns, "", "", ()))


def _walk(
    patterns: list[Any], namespace: str, text: str, arguments: tuple[str, ...]
) -> Iterator[Route]:
    for one in patterns:
        longer = text + str(one.pattern)
        names = arguments + tuple(one.pattern.regex.groupindex)
        if isinstance(one, URLResolver):
            inner = f"{namespace}{one.namespace}:" if one.namespace else namespace
            yield from _walk(one.url_patterns, inner, longer, names)
        elif isinstance(one, URLPattern):
            yield Route(f"{namespace}{one.name or ''}", names, longer)


def samples(cast: SimpleNamespace) -> dict[str, Any]:
    """A value for each argument of a URL, of Tokyo's records.

    The key is the argument's name, or ``route.argument`` where a name means several things.
    """
    participant = build.participant(cast.ana)
    visit = build.attended(cast.ana, participant)
    xray = build.form(cast.ana, visit, "xray", "right")
    screening = build.screening(cast.ana)
    with user_scope(cast.ana):
        entry = visit.entries.get(form="ceap", limb="right")
        ulcer = Ulcer.objects.create(
            participant=participant,
            limb="right",
            label="R1",
            location=["medial_malleolus"],
            onset_on="2025",
            ulcer_cause="venous",
            recorded_on=visit.attended_on,
            by=cast.ana,
        )
        version = ConsentVersion.objects.get(site=cast.tokyo)
    return {
        # allauth
        "uidb36": "1",
        "key": "set-password",
        # registry
        "study_number": participant.study_number,
        "number": participant.study_number,
        "participant": participant.study_number,
        "code": visit.code,
        "visit": visit.pk,
        "entry": entry.pk,
        "form": entry.form,
        "limb": entry.limb,
        "xray": xray.pk,
        "screening": screening.pk,
        "version": version.pk,
        "ulcer": ulcer.pk,
        "label": ulcer.label,
        "site": cast.tokyo.pk,
        "prefix": cast.tokyo.prefix,
        "user": cast.vera.pk,
    }


def read_table() -> dict[tuple[str, str], dict[str, str]]:
    """(route, method) → role → expected status."""
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="") as file:
        return {
            (row.pop("route"), row.pop("method")): dict(row)
            for row in csv.DictReader(line for line in file if not line.startswith("#"))
        }


def write_table(observed: dict[tuple[str, str], dict[str, str]]) -> None:
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["route", "method", *ROLES], lineterminator="\n")
        writer.writeheader()
        for (route, method), row in sorted(observed.items()):
            writer.writerow({"route": route, "method": method} | row)
