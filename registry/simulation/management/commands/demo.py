"""``manage.py demo``: the demo study, with every service of a real registry, until Ctrl-C."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections, transaction
from django.urls import reverse

from config import local
from registry.core.errors import RefusedError
from registry.exports.models import Dataset
from registry.simulation import study
from registry.simulation.processes import ProcessError, Processes

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
YEARS, SEED = 4, 2009
WAIT_S = 120  # for every service to answer
CELERY = ("celery", "--app", "config.celery")
WORKER = ("--concurrency=1", "--loglevel=info", "--without-mingle", "--without-gossip")
OWNER, RELEASE = "OWNER_DATABASE_URL", "RELEASE_DATABASE_URL"


class Command(BaseCommand):
    help = (
        "Load the demo study and run it with all its services until Ctrl-C. The environment may"
        " name PORT (8000) and DEMO_PARTICIPANTS (300)."
    )
    requires_system_checks = []  # make check runs them, and people wait here

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        refuse_real_servers()
        port = number("PORT", 8000, 65535)
        participants = number("DEMO_PARTICIPANTS", 300, 100_000)
        ready = False
        for one in STOPPING:
            signal.signal(one, signal.default_int_handler)
        try:
            with Processes(local.local_folder()) as running:
                try:
                    if left := running.kill_leftovers():
                        self.say(f"Stopped {left} processes that a killed demo had left.")
                    refuse_occupied(port)
                    self.load(participants)
                    self.start(running, port)
                    dataset = self.use(running)
                    ready = True  # before it is told: who reads it may stop the demo at once
                    self.tell(dataset, time.monotonic() - began)
                    connections.close_all()
                    while True:
                        running.check()
                        time.sleep(0.5)
                finally:
                    for one in STOPPING:
                        signal.signal(one, signal.SIG_IGN)
                    if running.children:
                        self.say("\nStopping …")
        except ProcessError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            if not ready:
                raise CommandError(
                    "Stopped before the demo was ready; start it again to go on.", returncode=130
                ) from None
        self.say("Stopped. What was entered stays; make clean forgets it.")

    # -- steps -------------------------------------------------------------------------------

    def load(self, participants: int) -> None:
        """Everything that is written before a service runs."""
        with self.step("Database: tables, walls, release views"):
            call_command("migrate", verbosity=0)
        with self.step("Style sheets and scripts"):
            collect_static()
        with self.step("Demo study: sites, people, consent versions, laboratory limits"):
            for kind, count in study.load_demo_study().items():
                self.say(f"  {count} {kind}")
        if not study.has_participants():
            with self.step(f"{participants} simulated participants"), transaction.atomic():
                call_command(
                    "simulate",
                    participants=participants,
                    sites=study.demo_sites().count(),
                    years=YEARS,
                    seed=SEED,
                    stdout=self.stdout,
                )
        with self.step("Synthetic films"):
            if added := study.add_films():
                self.say(f"  {added} films to be read")
        with self.step("Tokoro 2009, a reconstruction; no patient data"):
            call_command("load_tokoro", stdout=self.stdout)

    def start(self, running: Processes, port: int) -> None:
        """Start what a real registry runs, each with no more log-ins than it needs."""
        os.environ["CELERY_SKIP_CHECKS"] = "1"  # as above; they would load every page
        with self.step("Web server, workers, timetable"):
            running.start(
                "web server",
                *(
                    "gunicorn",
                    "config.wsgi",
                    f"--bind=127.0.0.1:{port}",
                    "--no-control-socket",
                    "--preload",
                ),
                *("--workers=2", "--worker-class=gthread", "--threads=4", "--graceful-timeout=2"),
                without=(OWNER, RELEASE),
            )
            running.start(
                "worker",
                *(*CELERY, "worker", "--queues=celery", "--hostname=celery@%h"),
                *WORKER,
                without=(OWNER, RELEASE),
            )
            running.start(
                "dataset worker",
                *(*CELERY, "worker", "--queues=datasets", "--hostname=datasets@%h"),
                *WORKER,
                niceness=15,
                without=(OWNER,),
            )
            running.start(
                "timetable",
                *(*CELERY, "beat", f"--schedule={running.folder / 'timetable'}", "--pidfile="),
                without=(OWNER, RELEASE),
            )
            wait_for_health(running, f"http://127.0.0.1:{port}/health/")

    def use(self, running: Processes) -> Dataset | None:
        """Send today's recalls and have one dataset built; None when it cannot be."""
        with self.step("Recalls due today, as if each site's sending hour had come"):
            call_command("recall", now=True, stdout=self.stdout)
        with self.step("A de-identified dataset: asked for, approved, built by the worker"):
            try:
                dataset = study.order_dataset()
            except RefusedError as error:
                self.say(f"  None: {error}")
                return None
            said = ""
            while True:
                running.check()
                dataset.refresh_from_db()
                if said != (said := progress(dataset)):
                    self.say(f"  {said}")
                if not dataset.unfinished:
                    break
                time.sleep(0.2)
        return dataset

    def tell(self, dataset: Dataset | None, seconds: float) -> None:
        folder = local.local_folder()
        # Mails sent in the same moment may share a file.
        mails = sum(
            path.read_bytes().count(b"\nMessage-ID:") for path in (folder / "mail").iterdir()
        )
        self.say(f"\nSaphena is ready after {seconds:.0f} s: {settings.SITE_URL}\n")
        self.say(f"Log in with the password {study.PASSWORD} as")
        for user in study.demo_users():
            roles = ", ".join(str(membership) for membership in user.memberships.all())
            self.say(f"  {user.email:<18} {roles}")
        report = settings.SITE_URL + reverse("tokoro_report")
        self.say(f"\nMail     {folder / 'mail'} ({mails} messages)")
        if dataset and dataset.state == Dataset.State.READY:
            page = settings.SITE_URL + reverse("dataset", args=[dataset.pk])
            self.say(f"Dataset  {default_storage.path(dataset.stored_as)}")
            self.say(f"         {page} for {dataset.request.project.researcher.email}")
        self.say(f"Films    {folder / 'media' / 'films'}")
        self.say(f"Report   {report}")
        self.say(f"Logs     {folder / 'logs'}")
        self.say("\nCtrl-C stops everything.")

    # -- words -------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Name a step before it begins, and its seconds when it is done."""
        self.say(title)
        began = time.monotonic()
        yield
        self.say(f"  done in {time.monotonic() - began:.1f} s")


def refuse_real_servers() -> None:
    """The demo writes invented people: only into services of its own."""
    if settings.PRODUCTION:
        raise CommandError("The demo does not run on production settings: unset SAPHENA_ENV.")
    if settings.NAMED_SERVICES:
        names = ", ".join(settings.NAMED_SERVICES)
        raise CommandError(f"The demo runs on services of its own: unset {names}.")


def refuse_occupied(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({(error.strerror or str(error)).lower()})."
                " Name another one: PORT=8001 make demo."
            ) from error


def number(name: str, default: int, highest: int) -> int:
    """A whole number from 1 to ``highest`` from the environment."""
    text = os.environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= highest:
        raise CommandError(
            f"{name} is a whole number from 1 to {highest}, and “{text}” is none.", returncode=2
        )
    return int(text)


def collect_static() -> None:
    """Collect the static files unless they are those that were collected last."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda found: str(found[0])):
            with storage.open(path) as file:
                digest.update(f"{path} {hashlib.sha256(file.read()).hexdigest()}\n".encode())
    collected = Path(settings.STATIC_ROOT) / "staticfiles.sha256"
    if collected.exists() and collected.read_text() == digest.hexdigest():
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    collected.write_text(digest.hexdigest())


def wait_for_health(running: Processes, url: str) -> None:
    """Return once database, broker and worker answer. Raises :class:`ProcessError`."""
    said, deadline = "nothing answers", time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        running.check()
        try:
            with urllib.request.urlopen(url, timeout=10):  # noqa: S310 - our own address
                return
        except urllib.error.HTTPError as error:
            said = ", ".join(error.read(1000).decode(errors="replace").split("\n")).strip(", ")
        except OSError:
            pass
        time.sleep(0.2)
    raise ProcessError(f"{url} is not well after {WAIT_S} s ({said}): see {running.logs}")


def progress(dataset: Dataset) -> str:
    """How far a dataset is, in a line."""
    if dataset.state == Dataset.State.READY:
        return f"ready: {dataset.rows_expected:,} rows, {dataset.size or 0:,} bytes"
    if dataset.state == Dataset.State.FAILED:
        return f"failed: {dataset.error}"
    stage = dataset.stage or dataset.get_state_display().lower()
    if dataset.rows_expected:
        return f"{stage}: {dataset.rows_done:,} of {dataset.rows_expected:,} rows"
    return stage
