"""Fixtures for every test: the database as the web role, and the cast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from django.core.cache import cache
from django.test import override_settings

from . import databases

# A developer's run searches anew each time; CI judges a change, not the luck of the draw. Machines
# are noisy, so no example has a deadline.
QUICK_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

hypothesis.settings.register_profile("saphena", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("saphena")


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """A clone of the migrated template with the cast in it, reached as the web role.

    Not as a superuser, who would bypass the policies.
    """
    from .people import make_cast

    with django_db_blocker.unblock(), databases.clone(databases.template(), f"test_{os.getpid()}"):
        with override_settings(PASSWORD_HASHERS=QUICK_HASHERS):
            make_cast()
        yield


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database of one's own, for tests that commit (workers, a live server, kills)."""
    name = f"test_{os.getpid()}_committed"
    with django_db_blocker.unblock(), databases.clone(databases.template(), name):
        yield


@pytest.fixture(autouse=True)
def _plain_settings(settings: Any, tmp_path: Any) -> None:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.PASSWORD_HASHERS = QUICK_HASHERS
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()  # of other tests' rate limits


@pytest.fixture
def cast(db: None) -> SimpleNamespace:
    """Everybody of the clinic (see ``people.py``)."""
    from .people import find_cast

    return find_cast()
