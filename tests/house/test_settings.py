"""Production refuses to start on anything but named services and secrets, in one sentence."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

NEEDED = {
    "DATABASE_URL": "postgres://saphena_web:x@db/saphena",
    "REDIS_URL": "redis://redis/0",
    "SECRET_KEY": "s" * 50,
    "EMAIL_URL": "smtp://mail:25",
    "IDENTITY_KEYS": "1:AAAA",
    "IDENTITY_INDEX_KEY": "AAAA",
    "ALLOWED_HOSTS": "registry.example.org",
    "SITE_URL": "https://registry.example.org",
    "DEFAULT_FROM_EMAIL": "saphena@example.org",
    "MEDIA_ROOT": "/srv/media",
}


def start(**environment):
    """Load the settings in a process of their own, with nothing of ours in the environment."""
    code = "from config import settings as s; print(s.SESSION_COOKIE_SECURE, s.DEBUG, s.SITE_URL)"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "SAPHENA_ENV": "production"} | environment,
        capture_output=True,
        text=True,
    )


def test_with_everything_named_it_starts():
    started = start(**NEEDED)
    assert started.returncode == 0, started.stderr
    assert started.stdout.split() == ["True", "False", "https://registry.example.org"]


@pytest.mark.parametrize("how", ["missing", "empty"])
@pytest.mark.parametrize("name", NEEDED)
def test_without_one_it_does_not_start_and_names_it(name, how):
    given = {other: value for other, value in NEEDED.items() if other != name}
    started = start(**given | ({name: ""} if how == "empty" else {}))
    assert started.returncode != 0
    last = started.stderr.strip().splitlines()[-1]
    assert last.endswith(f"Production needs {name} in the environment.")


def test_everything_missing_is_one_sentence():
    last = start().stderr.strip().splitlines()[-1]
    assert all(name in last for name in NEEDED)


@pytest.mark.parametrize("address", ["bounce", "bounce+x@example.org", "b" * 28 + "@example.org"])
def test_an_address_for_bounces_that_cannot_be_one_is_refused_in_one_sentence(address):
    assert start(**NEEDED, BOUNCE_ADDRESS="bounce@example.org").returncode == 0
    last = start(**NEEDED, BOUNCE_ADDRESS=address).stderr.strip().splitlines()[-1]
    assert f"BOUNCE_ADDRESS is “{address}”; name one like" in last


def test_nobody_can_be_asked_to_look_like_nobody():
    last = start(**NEEDED, DISCLOSURE_K_LIMITED="0").stderr.strip().splitlines()[-1]
    assert "DISCLOSURE_K_LIMITED" in last
