"""Recall's workers against plain smtplib, to the same mail server over as many connections.

Run it with ``make bench``. A database of its own gets fifty sites with forty recipients each; a
morning of two thousand mails is planned once and sent again and again: by real Celery workers over
a real broker, and, the very same bytes, by processes that do nothing but ``smtplib``. Both take
turns. A figure is the median of its rounds. The results go to ``docs/benchmarks.md``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

import redis  # noqa: E402
from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import bare  # noqa: E402
from benchmarks.crowd import load  # noqa: E402
from benchmarks.mail_server import Mail, PlainSenders, Server  # noqa: E402
from benchmarks.results import put  # noqa: E402
from registry.access.models import Membership, Site, User  # noqa: E402
from registry.access.roles import Role  # noqa: E402
from registry.access.scope import scope  # noqa: E402
from registry.recall import actions, tasks  # noqa: E402
from registry.recall.models import Delivery  # noqa: E402
from tests import databases, people  # noqa: E402

PARTICIPANTS = 1_000
RECIPIENTS = 40  # a site
CONNECTIONS = 2
ROUNDS = 4
LIMIT = 0.8
DELAYS = {"at once": 0.0, "after 20 ms, as one nearby does": 0.02}
DATABASE = "bench_mails"
BROKER_NUMBER = 8


def fill() -> None:
    """Sites, participants, and at each site recipients of two languages; every site planned."""
    cast = people.make_cast()
    with bare.connect(DATABASE, "owner") as connection:
        load(connection, PARTICIPANTS, cast.ana.pk, cast.tokyo.today)
    languages = [code for code, _name in settings.LANGUAGES]
    with scope(User.objects.system("migration"), []):
        for turn, site in enumerate(Site.objects.all()):
            for number in range(RECIPIENTS):
                user = User.objects.create(
                    email=f"{site.prefix}{number}@example.org".lower(),
                    name=f"Recipient {number} of {site}",
                    language=languages[turn % len(languages)] if number % 5 else "en",
                )
                Membership.objects.create(user=user, site=site, role=Role.COORDINATOR)
    by = User.objects.system("recall")
    for site in Site.objects.all():
        actions.plan(by=by, site=site, now=timezone.now(), at_once=True)


@contextmanager
def every_site() -> Iterator[None]:
    with scope(User.objects.system("recall"), Site.objects.values_list("pk", flat=True)):
        yield


def again() -> int:
    """Every delivery as it was planned; how many there are."""
    with every_site():
        return Delivery.objects.update(
            state=Delivery.State.PLANNED, attempts=0, claimed_at=None, not_before=timezone.now()
        )


def all_sent() -> bool:
    with every_site():
        return not Delivery.objects.exclude(state=Delivery.State.SENT).exists()


@contextmanager
def workers(broker: str, port: int) -> Iterator[None]:
    """A worker of ``CONNECTIONS`` processes on this database, broker and mail server."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{DATABASE}").geturl()
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--loglevel=warning"]
    process = subprocess.Popen(
        [*command, f"--concurrency={CONNECTIONS}", "--queues=celery", "--hostname=mails@bench"],
        env=os.environ
        | {"DATABASE_URL": database, "REDIS_URL": broker, "EMAIL_URL": f"smtp://127.0.0.1:{port}"},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def arrived(server: Server, number: int) -> list[Mail]:
    """Wait for ``number`` mails."""
    until = time.monotonic() + 120
    while server.count() < number:
        assert time.monotonic() < until, "The mails do not come."
        time.sleep(0.02)
    return server.take()


def parcels() -> Iterator[list[tuple[int, Sequence[int]]]]:
    """What a tick would queue."""
    by = User.objects.system("recall")
    parts = [
        (site.pk, keys)
        for site in Site.objects.all()
        for keys in actions.batches(actions.unfinished(by=by, site=site))
    ]
    return (parts[start : start + tasks.PARCEL] for start in range(0, len(parts), tasks.PARCEL))


def send_ours(server: Server, broker: str) -> tuple[float, list[Mail]]:
    """Seconds from the first task that is queued to the last mail."""
    number = again()
    with tasks.tick.app.connection_for_write(url=broker) as queue:
        waiting = list(parcels())
        began = time.monotonic()
        for parcel in waiting:
            tasks.send_deliveries.apply_async([parcel], connection=queue)
    mails = arrived(server, number)
    while not all_sent():
        time.sleep(0.02)
    return mails[-1].at - began, mails


def send_plainly(server: Server, senders: PlainSenders, mails: list[Mail]) -> float:
    senders.give(mails)
    began = time.monotonic()
    senders.go()
    return arrived(server, len(mails))[-1].at - began


def measure(server: Server, senders: PlainSenders, broker: str) -> tuple[list[str], float]:
    """The results as lines of Markdown, and the ratio that has a limit."""
    lines = [
        "| The server answers | Plain smtplib, mails a second | Recall | Ratio | Limit |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, delay in DELAYS.items():
        server.answer_after(delay)
        rates: dict[str, list[float]] = {"ours": [], "plain": []}
        for number in range(ROUNDS + 1):
            took, mails = send_ours(server, broker)
            plainly = send_plainly(server, senders, mails)
            if number:  # the first warms up
                rates["ours"].append(len(mails) / took)
                rates["plain"].append(len(mails) / plainly)
        ours, plain = (statistics.median(rates[who]) for who in ("ours", "plain"))
        ratio, limit = ours / plain, f"{LIMIT}" if delay else ""
        lines.append(f"| {name} | {plain:.0f} | {ours:.0f} | {ratio:.2f} | {limit} |")
    size = statistics.mean(len(mail.content) for mail in mails)
    about = (
        f"Medians of {ROUNDS} rounds of {len(mails):,} mails of {size / 1000:.0f} kB over"
        f" {CONNECTIONS} connections on {os.cpu_count()} cores."
    )
    return [about, "", *lines], ratio


def main() -> int:
    server = Server()
    senders = PlainSenders(CONNECTIONS, server.port)
    broker = urlsplit(settings.REDIS_URL)._replace(path=f"/{BROKER_NUMBER}").geturl()
    with databases.clone(databases.template(), DATABASE), redis.Redis.from_url(broker) as queue:
        queue.flushdb()
        fill()
        with workers(broker, server.port):
            lines, ratio = measure(server, senders, broker)
        queue.flushdb()
    print("\n".join(lines))
    put("mails", lines)
    if ratio < LIMIT:
        print(f"Below the limit of {LIMIT}.")
    return int(ratio < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
