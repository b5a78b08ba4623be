"""Two thousand digests go out while workers, beats, the broker and the database are killed.

Real ones: eight worker processes and two beats over a PostgreSQL and a Valkey of their own, and a
mail server that takes a mail slowly, refuses it for now, refuses it for good, or takes it and hangs
up before it has said so. The result is a count of what arrived.
"""

import asyncio
import random
import sys
import time
from collections import Counter, defaultdict
from datetime import date
from email import message_from_bytes
from itertools import cycle

import pytest
from aiosmtpd.controller import Controller
from django.core.management import call_command
from django.db import Error, connection

from registry.access.models import Membership, Site, User
from registry.access.scope import scope
from registry.participants.models import ConsentVersion
from registry.recall.models import Delivery

from .. import databases
from .conftest import free_port
from .fleet import Fleet
from .scene import outstanding

SITES, RECIPIENTS = 20, 100
SEED = 20
KILLS = {"process": 12, "worker": 3, "beat": 3, "broker": 3, "database": 3}
PATIENCE = 120  # seconds for the next mails
SLOW, LATER, NEVER, DROPS = FACES = (
    "slow.example",
    "later.example",
    "never.example",
    "drops.example",
)

pytestmark = pytest.mark.slow


class Server:
    """A mail server with a face for each domain; counts what it took, by address."""

    def __init__(self):
        self.taken, self.seen = defaultdict(list), Counter()

    @property
    def count(self):
        return sum(map(len, list(self.taken.values())))

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.seen[address] += 1
        if address.endswith(LATER) and self.seen[address] <= 2:
            return "450 not now"
        if address.endswith(NEVER):
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        (address,) = envelope.rcpt_tos
        self.taken[address].append(message_from_bytes(envelope.content)["Message-ID"])
        await asyncio.sleep(0.2 if address.endswith(SLOW) else 0.05)
        if address.endswith(DROPS) and len(self.taken[address]) == 1:
            server.transport.abort()
        return "250 OK"


@pytest.fixture
def server():
    held = Server()
    held.port = free_port()
    controller = Controller(held, hostname="127.0.0.1", port=held.port)
    controller.start()
    yield held
    controller.stop()


@pytest.fixture
def fleet(tmp_path, django_db_blocker):
    held = Fleet(tmp_path)
    urls = {"default": held.given["DATABASE_URL"], "owner": held.given["OWNER_DATABASE_URL"]}
    with django_db_blocker.unblock(), databases.elsewhere(urls):
        call_command("migrate", verbosity=0)
        yield held
        connection.close()
        held.sink()


def populate():
    """Sites with a visit due and a hundred coordinators each, at every face of the server."""
    faces = cycle(FACES)
    by = User.objects.system("migration")
    with scope(by, []):
        sites = [
            Site.objects.create(
                prefix=f"K{n:02d}", name=f"Site {n}", time_zone="UTC", sending_hour=0
            )
            for n in range(SITES)
        ]
        users = User.objects.bulk_create(
            User(email=f"c{number}-{site.prefix}@{next(faces)}".lower(), name=f"{number}")
            for site in sites
            for number in range(RECIPIENTS)
        )
        Membership.objects.bulk_create(
            Membership(user=user, site=sites[place // RECIPIENTS], role="coordinator")
            for place, user in enumerate(users)
        )
    with scope(by, [site.pk for site in sites]):
        for site in sites:
            ConsentVersion.objects.create(
                site=site, code="1.0", in_force_from=date(2020, 1, 1), mandatory=True
            )
    for user in users[::RECIPIENTS]:
        outstanding(user, opens=-3, closes=60)
    return sites


def outcomes(sites):
    """State → how many deliveries; nothing while the database is away."""
    try:
        with scope(User.objects.system("recall"), [site.pk for site in sites]):
            return Counter(Delivery.objects.values_list("state", flat=True))
    except Error:
        connection.close()
        return Counter()


def finished(sites):
    found = outcomes(sites)
    return found["sent"] + found["failed"] + found["cancelled"] == SITES * RECIPIENTS


def test_two_thousand_digests_arrive_whatever_is_killed(fleet, server, capsys):
    sites, draw = populate(), random.Random(SEED)
    fleet.sail(server.port)
    began = time.monotonic()
    kinds = draw.sample(list(KILLS), counts=KILLS.values(), k=sum(KILLS.values()))
    # Each at a random moment, counted in mails: so they fall evenly on fast and slow machines.
    for kind, moment in zip(kinds, sorted(draw.sample(range(1900), len(kinds))), strict=True):
        wait_for(lambda moment=moment: server.count >= moment, fleet)
        fleet.kill(kind, draw)
    wait_for(lambda: finished(sites), fleet)
    took = time.monotonic() - began

    with scope(User.objects.system("recall"), [site.pk for site in sites]):
        deliveries = list(Delivery.objects.all())
    faces = defaultdict(Counter)
    for one in deliveries:
        times = len(server.taken.get(one.address, ()))
        count = faces[one.address.partition("@")[2]]
        count[one.state] += 1
        count["missing"] += one.state == "sent" and not times
        count["again"] += max(times - 1, 0)
    said = [f"{len(deliveries)} deliveries in {took:.0f} s; killed: {KILLS}"]
    said += [f"{face}: {dict(faces[face])}" for face in FACES]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(said) + "\n")

    each = SITES * RECIPIENTS // len(FACES)
    for face in (SLOW, LATER, DROPS):
        assert (faces[face]["sent"], faces[face]["missing"]) == (each, 0)
    assert faces[NEVER]["failed"] == each
    errors = {one.error for one in deliveries if one.state == "failed"}
    assert errors == {"550 nobody of that name"}
    assert not [address for address in server.taken if address.endswith(NEVER)]
    # A mail comes again when its sender died after the server's yes, or never read that yes.
    assert faces[DROPS]["again"] >= each
    assert sum(count["again"] for count in faces.values()) <= each + sum(KILLS.values())
    assert {len(set(ids)) for ids in server.taken.values()} == {1}


def wait_for(condition, fleet):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"Nothing for {PATIENCE} s."
        fleet.tend()
        time.sleep(0.2)
