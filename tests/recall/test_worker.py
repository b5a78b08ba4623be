"""Real Celery workers over a real broker."""

import os
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings
from django.db import connection

from registry.access.models import Site
from registry.access.scope import user_scope
from registry.recall import tasks
from registry.recall.models import Delivery

from ..people import make_cast
from .scene import outstanding

BROKER_NUMBER = 9


@pytest.fixture
def broker():
    """A database of its own in the broker, empty before and after."""
    url = urlsplit(settings.REDIS_URL)._replace(path=f"/{BROKER_NUMBER}").geturl()
    held = redis.Redis.from_url(url)
    held.flushdb()
    yield url
    held.flushdb()
    held.close()


@pytest.fixture
def workers(committed, broker, sink):
    """Two worker processes of four, on this test's database, broker and mail server."""
    database = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    environment = os.environ | {
        "DATABASE_URL": database._replace(path=f"/{name}").geturl(),
        "REDIS_URL": broker,
        "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}",
    }
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--concurrency=4"]
    started = [
        subprocess.Popen(
            [*command, "--loglevel=warning", f"--hostname=recall{number}@test"], env=environment
        )
        for number in range(2)
    ]
    yield started
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)


@pytest.mark.slow
def test_ticks_from_several_beats_send_each_mail_once(workers, broker, sink):
    cast = make_cast()
    for by in (cast.ana, cast.ben):
        outstanding(by, opens=-3, closes=60)
    with user_scope(cast.kei):
        Site.objects.update(sending_hour=0)
    with tasks.tick.app.connection_for_write(url=broker) as queue:
        for _beat in range(8):
            tasks.tick.apply_async(connection=queue)
    until = time.monotonic() + 60
    while len(sink.mails) < 3 and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(2)  # for any mail too many
    assert sink.addresses == ["ana@example.org", "ben@example.org", "hiro@example.org"]
    with user_scope(cast.eli):
        assert {(d.state, d.attempts) for d in Delivery.objects.all()} == {("sent", 1)}
