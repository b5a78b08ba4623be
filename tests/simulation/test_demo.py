"""``manage.py demo`` as a user meets it, in a scratch copy of the checkout."""

import http.cookiejar
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from registry.simulation import study
from registry.simulation.management.commands import demo
from registry.simulation.processes import Processes
from tests.local.test_services import bare_environment

PROJECT = Path(__file__).resolve().parents[2]
READY = "Ctrl-C stops everything."

PARTICIPANTS = 60  # enough that some visit is due whatever the day


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout with nothing under .local yet."""
    copy = tmp_path_factory.mktemp("scratch") / "checkout"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "staticfiles", "test-results")
    shutil.copytree(PROJECT, copy, ignore=left_out)
    yield copy
    for number in Processes(copy / "local").marked():
        os.kill(number, signal.SIGKILL)
    run(copy, "-m", "config.local", "stop")
    shutil.rmtree((copy / "local" / "services").resolve(), ignore_errors=True)


def environment(checkout, **more):
    return bare_environment(checkout / "local") | {"DEMO_PARTICIPANTS": str(PARTICIPANTS)} | more


def run(checkout, *words, **more):
    return subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env=environment(checkout, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class Demo:
    """A running demo; ``said`` is what it printed until it was ready."""

    def __init__(self, checkout):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo"],
            cwd=checkout,
            env=environment(checkout, PORT=str(self.port)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.strip() == READY:
                break
        else:
            pytest.fail(f"The demo ended before it was ready:\n{self.said}")
        self.seconds = time.monotonic() - began

    def get(self, path, data=None):
        return self.browser.open(f"http://localhost:{self.port}{path}", data)

    def log_in(self, email):
        self.cookies = http.cookiejar.CookieJar()
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        page = self.get("/accounts/login/").read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        form = {"login": email, "password": study.PASSWORD, "csrfmiddlewaretoken": token}
        return self.get("/accounts/login/", urllib.parse.urlencode(form).encode())

    def end(self, by):
        self.process.send_signal(by)
        said, _none = self.process.communicate(timeout=60)
        return self.process.returncode, said


COUNT = """
import json
from django.db import connections
with connections["owner"].cursor() as cursor:
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    tables = [name for name, in cursor.fetchall() if name != "django_session"]
    counts = {}
    for name in tables:
        cursor.execute(f'SELECT count(*) FROM "{name}"')
        counts[name] = cursor.fetchone()[0]
print(json.dumps(counts))
"""


def counts(checkout):
    said = run(checkout, "manage.py", "shell", "--verbosity=0", "-c", COUNT)
    return json.loads(said.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_demo_runs_whole_again_and_after_a_kill(checkout):
    running = Demo(checkout)
    local = checkout / "local"

    running.log_in("ana@example.org")
    health = running.get("/health/").read().decode()
    assert health == "database: up\nbroker: up\nworker: up\n"
    assert running.get("/").status == 200
    assert running.get("/reports/tokoro/").status == 200

    mails = [path.read_text() for path in (local / "mail").iterdir()]
    written_to = {to for mail in mails for to in re.findall(r"^To: (\S+)$", mail, re.MULTILINE)}
    study_people = json.loads(study.FIXTURE.read_text(encoding="utf-8"))["users"]
    assert written_to & {one["email"] for one in study_people if one["role"] == "coordinator"}
    (dataset,) = (local / "media" / "datasets").iterdir()
    assert str(dataset) in running.said
    assert "manifest.json" in " ".join(zipfile.ZipFile(dataset).namelist())
    assert study.PASSWORD in running.said

    again = run(checkout, "manage.py", "demo", PORT="1")
    assert again.returncode == 1
    assert f"It already runs from {local} (process {running.process.pid})" in again.stderr

    assert running.end(signal.SIGINT)[0] == 0
    assert not list(Processes(local).marked())
    loaded = counts(checkout)
    assert loaded["participants_participant"] == PARTICIPANTS + 40

    running = Demo(checkout)
    assert running.seconds < 20
    running.process.kill()
    running.process.wait()
    assert counts(checkout) == loaded
    assert list(Processes(local).marked())

    running = Demo(checkout)
    assert "that a killed demo had left" in running.said
    assert running.end(signal.SIGTERM)[0] == 0
    assert not list(Processes(local).marked())
    assert counts(checkout) == loaded


@pytest.mark.slow
def test_a_service_that_dies_ends_the_demo_by_name(checkout):
    running = Demo(checkout)
    (beat,) = [
        number
        for number in Processes(checkout / "local").marked()
        if b"beat" in Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    ]
    os.kill(beat, signal.SIGKILL)
    said, _none = running.process.communicate(timeout=60)
    assert running.process.returncode == 1
    assert "The timetable has stopped (SIGKILL): see " in said
    assert not list(Processes(checkout / "local").marked())


@pytest.mark.slow
def test_an_occupied_port_is_said_before_anything_is_loaded(checkout):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run(checkout, "manage.py", "demo", PORT=str(port))
    assert said.returncode == 1
    assert said.stderr.splitlines() == [
        f"CommandError: Port {port} cannot be used (address already in use)."
        " Name another one: PORT=8001 make demo."
    ]
    assert said.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"SAPHENA_ENV": "production"}, "Production needs DATABASE_URL, REDIS_URL, "),
        (
            {"OWNER_DATABASE_URL": "postgres://else/where"},
            "CommandError: The demo runs on services of its own: unset OWNER_DATABASE_URL.",
        ),
        ({"PORT": "http"}, "CommandError: PORT is a whole number from 1 to 65535, and “http” is"),
    ],
)
def test_what_it_refuses_is_one_sentence(checkout, given, sentence):
    said = run(checkout, "manage.py", "demo", **given)
    assert said.returncode == (2 if "PORT" in given else 1)
    assert said.stderr.startswith(sentence)
    assert len(said.stderr.splitlines()) == 1


def test_whole_production_settings_are_refused(settings):
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="does not run on production settings"):
        demo.refuse_real_servers()


@pytest.mark.parametrize("text", ["0", "-3", "many", "3.5", "100001", "１２", " 7"])
def test_bad_numbers_exit_with_two(monkeypatch, text):
    monkeypatch.setenv("DEMO_PARTICIPANTS", text)
    with pytest.raises(CommandError, match="DEMO_PARTICIPANTS is a whole number") as caught:
        demo.number("DEMO_PARTICIPANTS", 300, 100_000)
    assert caught.value.returncode == 2


@pytest.mark.parametrize(("text", "meant"), [("", 300), ("1", 1), ("0012", 12)])
def test_good_numbers(monkeypatch, text, meant):
    monkeypatch.setenv("DEMO_PARTICIPANTS", text)
    assert demo.number("DEMO_PARTICIPANTS", 300, 100_000) == meant
