"""Each page among 100,000 participants against the same page among 1,000, in one run.

Run it with ``make bench``. Two databases stand side by side; each round asks every page of both in
turn, as a coordinator of the largest site. A page's figure is the median of its rounds; the ratio
of the two has a limit. The results go to ``docs/benchmarks.md``.
"""

from __future__ import annotations

import html
import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connections
from django.test import Client
from django.urls import reverse

from benchmarks import bare
from benchmarks.crowd import load
from benchmarks.results import put
from registry.access.scope import user_scope
from tests import build, databases, people

SMALL, LARGE = 1_000, 100_000
ROUNDS = 30
LIMIT = 1.3


@dataclass
class Registry:
    """One database with its crowd, and the coordinator who asks for pages."""

    people: int
    name: str
    connection: Any = None
    client: Any = None
    visit: Any = None
    participant: Any = None
    pages: dict[str, Callable[[], Any]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    visits: int = 0
    entries: int = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Requests go to this database, over a connection that stays."""
        connections["default"] = self.connection
        yield

    def enter(self) -> None:
        """The cast, and the participant who is measured, through the clinic's own actions."""
        cast = people.make_cast()
        today = cast.tokyo.today
        self.participant = build.participant(cast.ana, enrolled_on=today - timedelta(days=95))
        baseline = build.attended(cast.ana, self.participant)
        for limb in ("right", "left"):
            for code in ("leg_check", "ceap", "vcss"):
                build.form(cast.ana, baseline, code, limb)
        self.visit = build.attended(cast.ana, self.participant, "M03")
        for limb in ("right", "left"):
            build.form(cast.ana, self.visit, "ceap", limb)
        with user_scope(cast.ana):
            self.drafted = self.visit.entries.filter(form="vcss").first()
        self.client = Client(SERVER_NAME="localhost")
        self.client.force_login(cast.ana)
        self.signer = Client(SERVER_NAME="localhost")
        self.signer.force_login(cast.hiro)
        self.by, self.today = cast.ana.pk, today

    def fill(self) -> None:
        """The crowd, as the owner."""
        with bare.connect(self.name, "owner") as connection:
            load(connection, self.people, self.by, self.today)
            self.visits, self.entries = (
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[index]
                for table in ("visits_visit", "visits_formentry")
            )

    # -- what is measured -------------------------------------------------------------------------

    def get(self, address: str, client: Client | None = None, **asked: str) -> float:
        began = time.perf_counter()
        answer = (client or self.client).get(address, asked)
        took = time.perf_counter() - began
        assert answer.status_code in (200, 302), (address, answer.status_code)
        return took

    def save_draft(self) -> float:
        """Save the section as the page holds it, one answer changed; only the saving is timed."""
        address = reverse("visit", args=[self.visit.pk])
        page = self.client.get(address).content.decode()
        section = page.split('id="form-vcss"')[1].split("</section>")[0]
        sent: dict[str, Any] = {
            name: html.unescape(value)
            for name, value in re.findall(r'type="hidden" name="([\w-]+)" value="([^"]*)"', section)
        }
        sent |= json.loads(sent.get("base", "{}"))
        former = sent.get("vcss-right-pain")
        sent |= {"vcss-right-pain": "2" if former in ("1", ["1"]) else "1", "action": "draft"}
        target = reverse("visit_form", args=[self.visit.pk, "vcss"])
        began = time.perf_counter()
        answer = self.client.post(target, sent)
        took = time.perf_counter() - began
        assert answer.status_code in (200, 302), answer.status_code
        return took

    def measured(self) -> dict[str, Callable[[], float]]:
        number = self.participant.study_number
        return {
            "Home of a coordinator": lambda: self.get(reverse("home")),
            "Home of an investigator": lambda: self.get(reverse("home"), self.signer),
            "Opening a form (the visit's page)": lambda: self.get(
                reverse("visit", args=[self.visit.pk])
            ),
            "Saving a draft": self.save_draft,
            "Participant": lambda: self.get(reverse("participant", args=[number])),
            "Search by study number": lambda: self.get(reverse("participants"), q=number[:8]),
            "Overdue visits, first page": lambda: self.get(reverse("work_overdue")),
            "Visits to sign, first page": lambda: self.get(reverse("work_to_sign"), self.signer),
            "Drafts, first page": lambda: self.get(reverse("work_drafts")),
            "Queries, first page": lambda: self.get(reverse("queries")),
            "Participants, first page": lambda: self.get(reverse("participants")),
            "Participants by visits, first page": lambda: self.get(reverse("matrix")),
        }


def connect(name: str) -> Any:
    connection = connections.create_connection("default")
    connection.settings_dict = connection.settings_dict | {"NAME": name, "CONN_MAX_AGE": None}
    return connection


@contextmanager
def registries() -> Iterator[list[Registry]]:
    template = databases.template()
    found = [Registry(people, f"bench_{people}") for people in (SMALL, LARGE)]
    with (
        databases.clone(template, found[0].name),
        databases.clone(template, found[1].name),
    ):
        for one in found:
            began = time.perf_counter()
            one.connection = connect(one.name)
            with one.open():
                one.enter()
            one.fill()
            print(
                f"{one.people:,} participants, {one.visits:,} visits, {one.entries:,} forms"
                f" in {time.perf_counter() - began:.0f} s"
            )
        yield found
        for one in found:
            one.connection.close()


def measure(found: list[Registry], rounds: int) -> None:
    """Every page of both registries in turn, the first rounds not counted."""
    for number in range(rounds + 3):
        for name in found[0].measured():
            for one in found if number % 2 else reversed(found):
                with one.open():
                    took = one.measured()[name]()
                if number >= 3:
                    one.seconds.setdefault(name, []).append(took)


def table(small: Registry, large: Registry) -> tuple[list[str], list[str]]:
    """The results as lines of Markdown, and the pages beyond the limit."""
    lines = [
        f"| Page | {small.people:,} participants, ms | {large.people:,} participants, ms"
        " | Ratio | Limit |",
        "|---|--:|--:|--:|--:|",
    ]
    beyond = []
    for name, seconds in small.seconds.items():
        before, after = (statistics.median(s) * 1000 for s in (seconds, large.seconds[name]))
        ratio = after / before
        lines.append(f"| {name} | {before:.1f} | {after:.1f} | {ratio:.2f} | {LIMIT} |")
        if ratio > LIMIT:
            beyond.append(name)
    return lines, beyond


def write(lines: list[str], small: Registry, large: Registry) -> None:
    """Put the results where the text says they stand."""
    about = (
        f"Medians of {len(next(iter(small.seconds.values())))} rounds on {os.cpu_count()} cores,"
        f" Python {platform.python_version()}; {small.visits:,} visits and {small.entries:,} forms"
        f" against {large.visits:,} and {large.entries:,}, at 50 sites."
    )
    put("pages", [about, "", *lines])


def main() -> int:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    with registries() as (small, large):
        measure([small, large], ROUNDS)
        lines, beyond = table(small, large)
    print("\n".join(lines))
    write(lines, small, large)
    if beyond:
        print(f"Beyond the limit of {LIMIT}: {', '.join(beyond)}")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
