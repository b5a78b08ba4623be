"""A real browser against a real server, a real Celery worker and a database of one's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connections
from django.test.testcases import LiveServerThread

from config.celery import app

from ..people import PASSWORD, make_cast

# Playwright's loop runs in the tests' thread, where Django would refuse the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium, with nothing that calls home."""
    path = next((path for path in CHROMIUM if Path(path).exists()), None)
    if path is None:
        pytest.fail("No Chromium here: apt-get install chromium")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync", "--no-first-run"]
    return browser_type_launch_args | {"executable_path": path, "args": quiet}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """The hospital PC."""
    return browser_context_args | {"viewport": {"width": 1366, "height": 768}}


@pytest.fixture
def server(committed: None, settings: Any) -> Iterator[str]:
    """The address of a live server on the committed database."""
    settings.ALLOWED_HOSTS = ["*"]
    for connection in connections.all():  # a request's thread keeps none open
        connection.settings_dict["CONN_MAX_AGE"] = 0
    thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    if thread.error:
        raise thread.error
    settings.SITE_URL = f"http://127.0.0.1:{thread.port}"
    yield settings.SITE_URL
    thread.terminate()
    for connection in connections.all():
        connection.close()


@pytest.fixture
def clinic(server: str) -> SimpleNamespace:
    """The cast, at the live server's sites."""
    return make_cast()


def _use_broker(url: str) -> None:
    app.conf.broker_url = url
    app._after_fork()  # forgets the former broker's connections


@pytest.fixture
def worker(server: str, settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A real Celery worker for both queues on this test's database; yields its mail folder."""
    name = connections["default"].settings_dict["NAME"]
    broker = re.sub(r"/\d*$", "", django_settings.REDIS_URL) + "/7"
    mail = tmp_path / "mail"
    mail.mkdir()
    # The services that ensure() started were put into the environment with their own database.
    urls = {
        key: re.sub(r"/[^/?]+(\?|$)", rf"/{name}\1", os.environ[key])
        for key in ("DATABASE_URL", "OWNER_DATABASE_URL", "RELEASE_DATABASE_URL")
    }
    environment = os.environ | urls
    environment |= {
        "REDIS_URL": broker,
        "MEDIA_ROOT": settings.MEDIA_ROOT,
        "EMAIL_URL": f"filemail:///{mail}",
        "SITE_URL": settings.SITE_URL,
        "DISCLOSURE_K_SAFE_HARBOR": str(settings.DISCLOSURE_K["safe_harbor"]),
    }
    former = app.conf.broker_url
    _use_broker(broker)
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-P", "solo"]
    command += ["-Q", "celery,datasets", "--loglevel", "INFO"]
    with (tmp_path / "worker.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    deadline = time.monotonic() + 30
    while "ready." not in (tmp_path / "worker.log").read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail((tmp_path / "worker.log").read_text())
        time.sleep(0.2)
    yield mail
    process.terminate()
    process.wait(20)
    _use_broker(former)


@pytest.fixture
def sign_in(page: Any, server: str) -> Any:
    """Sign a member of the cast in through the log-in page, out of what was before."""

    def sign_in(user: Any) -> Any:
        page.set_default_timeout(15_000)
        page.context.clear_cookies()
        page.goto(f"{server}/accounts/login/")
        page.locator("[name=login]").fill(user.email)
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/accounts/login/" not in url)
        return page

    return sign_in
