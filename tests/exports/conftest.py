"""A small committed cohort, and datasets and copies of it, asked for, made and opened."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from django.test import Client, override_settings
from django.urls import reverse

from registry.access.models import User
from registry.access.scope import user_scope
from registry.exports import actions, tasks
from registry.exports.formats import FORMATS as EVERY
from registry.exports.models import Dataset, DatasetProject, SiteCopy
from registry.exports.profiles import PROFILES
from registry.imaging.models import Reading
from registry.ulcers.models import Ulcer
from registry.visits import actions as visits

from .. import build, databases, owner
from ..people import make_cast
from .opened import OpenedCopy, OpenedDataset, open_copy, open_dataset
from .own import fresh

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What commits a cohort of its own is tested with the slow ones."""
    for item in items:
        if HERE in item.path.parents and "cohort_database" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


EVERYBODY = {"limited": 1, "safe_harbor": 1}
"""As DISCLOSURE_K: nobody of a small cohort is hidden, for tests of everything else."""
FORMS = ["ceap", "laboratory", "leg_check", "ulcers", "vcss", "xray"]
ENROLLED = date(2024, 3, 5)
CANARY = "Kanarienvogel"


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


def stored() -> list[Path]:
    """Every file in the test's storage."""
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


@contextmanager
def apart(
    cohort_database: tuple[str, SimpleNamespace], name: str, folders: pytest.TempPathFactory
) -> Iterator[SimpleNamespace]:
    """The cohort in a clone and with files of its own, for what outlasts a test."""
    of, cast = cohort_database
    with (
        databases.clone(of, f"test_{os.getpid()}_{name}"),
        override_settings(MEDIA_ROOT=str(folders.mktemp(name)), DISCLOSURE_K=EVERYBODY),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(tasks.build_dataset, "delay", lambda number: None)
        yield copy.deepcopy(cast)


@pytest.fixture
def cohort(
    cohort_database: tuple[str, SimpleNamespace],
    django_db_blocker: Any,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> Iterator[SimpleNamespace]:
    """A committed cohort of one's own; nothing is sent to a broker."""
    settings.DISCLOSURE_K = EVERYBODY
    monkeypatch.setattr(tasks.build_dataset, "delay", lambda number: None)
    name, cast = cohort_database
    with django_db_blocker.unblock(), databases.clone(name, f"test_{os.getpid()}_exports"):
        yield copy.deepcopy(cast)


# -- datasets -----------------------------------------------------------------------------------


def ordered(
    cast: SimpleNamespace,
    profile: str = "safe_harbor",
    project: DatasetProject | None = None,
    **about: Any,
) -> Dataset:
    """Ask for, approve and queue a dataset; not built yet."""
    about = {"forms": FORMS, "arms": ["cvi"], "by": cast.fay} | about
    asked = actions.request_dataset(
        profile=profile, title="Calcium", purpose="To learn", project=project, **about
    )
    return actions.approve_request(by=cast.jun, request=asked)


def made(dataset: Dataset) -> OpenedDataset:
    """Build a dataset through the task and open its file."""
    tasks.build_dataset(dataset.pk)
    return open_dataset(dataset)


@pytest.fixture(scope="session")
def finished(
    cohort_database: tuple[str, SimpleNamespace],
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, OpenedDataset]:
    """Profile → a dataset of the cohort as it is, in every format, for tests that only read."""
    with (
        django_db_blocker.unblock(),
        apart(cohort_database, "finished", tmp_path_factory) as cast,
    ):
        return {profile: made(ordered(cast, profile, formats=list(EVERY))) for profile in PROFILES}


@pytest.fixture
def order(cohort: SimpleNamespace) -> Callable[..., Dataset]:
    """:func:`ordered` for the cohort."""
    return partial(ordered, cohort)


@pytest.fixture
def built(order: Callable[..., Dataset]) -> Callable[..., OpenedDataset]:
    """Order, build and open a dataset."""
    return lambda *args, **about: made(order(*args, **about))


@pytest.fixture
def owner_session(django_db_setup: None) -> Iterator[psycopg.Connection[Any]]:
    """The owner in the database of tests that commit nothing, as he does not."""
    with owner.session() as session:
        yield session
        session.rollback()


# -- copies of a site's data --------------------------------------------------------------------


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
def take(cohort: SimpleNamespace, ask: Callable[..., SiteCopy]) -> Callable[..., OpenedCopy]:
    """Make a copy through the task and open it as its investigator."""

    def take(by: User | None = None) -> OpenedCopy:
        copy = ask(by)
        tasks.build_site_copy(cohort.tokyo.pk, copy.pk)
        assert fresh(copy).state == "ready", copy.error
        with user_scope(copy.asked_by):
            return open_copy(copy)

    return take


# -- pages --------------------------------------------------------------------------------------


@pytest.fixture
def shown(client: Client) -> Callable[..., Any]:
    """Open a page as somebody, or post ``data`` to it."""

    def open_page(who: User, name: str, *args: Any, data: Any = None, **extra: Any) -> Any:
        client.force_login(who)
        url = reverse(name, args=args)
        return client.post(url, data, **extra) if data is not None else client.get(url, **extra)

    return open_page
