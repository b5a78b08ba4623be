"""A small committed cohort, and a dataset as an investigator opens it."""

from __future__ import annotations

import copy
import csv
import gzip
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connections
from pyarrow import parquet

from registry.access.models import User
from registry.access.scope import user_scope
from registry.exports import actions, tasks
from registry.exports.models import Dataset, DatasetProject, SiteCopy
from registry.imaging.models import Reading
from registry.ulcers.models import Ulcer
from registry.visits import actions as visits

from .. import build, databases
from ..people import make_cast
from .own import OwnData, fresh

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What commits a cohort of its own is tested with the slow ones."""
    for item in items:
        if HERE in item.path.parents and "cohort" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


FORMS = ["ceap", "laboratory", "leg_check", "ulcers", "vcss", "xray"]
ENROLLED = date(2024, 3, 5)
CANARY = "Kanarienvogel"


@dataclass
class Opened:
    """A dataset's zip, read as its receiver reads it: with gzip and csv alone."""

    data: bytes

    @cached_property
    def files(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.files["manifest.json"])

    def text(self, table: str) -> str:
        return gzip.decompress(self.files[f"csv/{table}.csv.gz"]).decode()

    def table(self, table: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.text(table), newline=""), strict=True))

    @property
    def tables(self) -> list[str]:
        return [one["table"] for one in self.manifest["tables"]]

    @property
    def everything(self) -> bytes:
        """Every byte that leaves, unpacked, names of files included."""
        parts = [self.data, *(name.encode() for name in self.files), *self.files.values()]
        for name, data in self.files.items():
            if name.endswith(".gz"):
                parts.append(gzip.decompress(data))
            if name.endswith(".parquet"):
                rows = parquet.read_table(io.BytesIO(data))
                about = [rows.schema.metadata, *(field.metadata for field in rows.schema)]
                parts.append(f"{about} {rows.to_pylist()}".encode())
        return b"\n".join(parts)

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()


def filled(by: User, **about: Any) -> Any:
    """A participant with every form of the baseline on the right leg, an ulcer and a grade."""
    someone = build.participant(by, **({"enrolled_on": ENROLLED} | about))
    visit = build.attended(by, someone, on=someone.enrolled_on + timedelta(days=2))
    for form in ("leg_check", "ceap", "vcss"):
        build.form(by, visit, form, "right", examiner=f"Dr {CANARY}")
    build.form(
        by,
        visit,
        "laboratory",
        absent={"crp": "not_done"},
        calcium_total="2.400",
        calcium_total_typed="2.4",
        calcium_total_unit="mmol/L",
        calcium_total_comparator="=",
    )
    xray = build.form(by, visit, "xray", "right")
    with user_scope(by):
        Reading.objects.create(
            xray=xray,
            reader=by,
            read_on=visit.attended_on,
            mode="independent",
            quality="good",
            calcification="present",
            pattern="reticular",
            zone_distal_medial="present",
        )
        Ulcer.objects.create(
            participant=someone,
            limb="right",
            label="R1",
            location=["medial_malleolus"],
            onset_on="2024-02",
            ulcer_cause="venous",
            recorded_on=visit.attended_on,
            by=by,
        )
        visits.refresh_forms([visit])
    return someone


@pytest.fixture(scope="session")
def cohort_database(
    django_db_setup: None, django_db_blocker: Any
) -> Iterator[tuple[str, SimpleNamespace]]:
    """The cast, two full participants at Tokyo and one at Rio, committed once to be cloned."""
    name, former = f"test_{os.getpid()}_cohort", connections["default"].settings_dict["NAME"]
    with django_db_blocker.unblock(), databases.clone(databases.template(), name):
        cast = make_cast()
        cast.people = [filled(cast.ana), filled(cast.ana, sex="male"), filled(cast.ben)]
        databases.use(former)
        yield name, cast


@pytest.fixture
def cohort(
    cohort_database: tuple[str, SimpleNamespace],
    django_db_blocker: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SimpleNamespace]:
    """A committed cohort of one's own; nothing is sent to a broker."""
    monkeypatch.setattr(tasks.build_dataset, "delay", lambda number: None)
    name, cast = cohort_database
    with django_db_blocker.unblock(), databases.clone(name, f"test_{os.getpid()}_exports"):
        yield copy.deepcopy(cast)


@pytest.fixture
def order(cohort: SimpleNamespace) -> Callable[..., Dataset]:
    """Ask for, approve and queue a dataset; not built yet."""

    def ask(
        profile: str = "safe_harbor", project: DatasetProject | None = None, **about: Any
    ) -> Dataset:
        about = {"forms": FORMS, "arms": ["cvi"], "by": cohort.fay} | about
        asked = actions.request_dataset(
            profile=profile, title="Calcium", purpose="To learn", project=project, **about
        )
        return actions.approve_request(by=cohort.jun, request=asked)

    return ask


@pytest.fixture
def built(order: Callable[..., Dataset]) -> Callable[..., Any]:
    """Build a dataset through the task and open its file."""

    def make(*args: Any, **about: Any) -> Opened:
        dataset = order(*args, **about)
        tasks.build_dataset(dataset.pk)
        dataset.refresh_from_db()
        assert dataset.state == "ready", dataset.error
        opened = Opened(default_storage.open(dataset.stored_as).read())
        opened.dataset = dataset  # type: ignore[attr-defined]
        return opened

    return make


@pytest.fixture
def sent(cohort: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The copies that would be given to the broker."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks.build_site_copy, "delay", lambda *args: given.append(args))
    return given


@pytest.fixture
def ask(cohort: SimpleNamespace, sent: list[tuple[int, int]]) -> Callable[..., SiteCopy]:
    """Queue a copy of Tokyo for its investigator."""

    def ask(by: User | None = None) -> SiteCopy:
        by = by or cohort.hiro
        with user_scope(by):
            return actions.ask_for_copy(by=by, site=cohort.tokyo)

    return ask


@pytest.fixture
def take(cohort: SimpleNamespace, ask: Callable[..., SiteCopy]) -> Callable[..., OwnData]:
    """Make a copy through the task and open it as its investigator."""

    def take(by: User | None = None) -> OwnData:
        copy = ask(by)
        tasks.build_site_copy(cohort.tokyo.pk, copy.pk)
        assert fresh(copy).state == "ready", copy.error
        with user_scope(copy.asked_by):
            return OwnData(copy, b"".join(actions.open_copy(by=copy.asked_by, copy=copy)))

    return take
