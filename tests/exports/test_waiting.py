"""A build waits for its turn and for older transactions: it says so, and it can be cancelled."""

import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from django.db import connections, transaction
from django.urls import reverse

from registry.access.scope import user_scope
from registry.exports import actions, tasks
from registry.exports.actions import building
from registry.exports.actions.locking import advisory_lock
from registry.participants.models import Participant

from .. import build, owner
from .conftest import ENROLLED


@contextmanager
def building_beside(dataset):
    """Another thread builds; the block begins when it waits, and is to see to its end."""

    def work():
        tasks.build_dataset(dataset.pk)
        connections.close_all()

    builder = threading.Thread(target=work, daemon=True)
    builder.start()
    stage = "SELECT stage FROM exports_dataset WHERE id = %s"
    until(lambda: owner.rows(stage, dataset.pk) != [("",)])
    yield builder
    builder.join(60)
    assert not builder.is_alive()
    dataset.refresh_from_db()


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def some_look(cohort):
    Participant.objects.count()


def some_write(cohort):
    build.participant(cohort.ana, enrolled_on=ENROLLED)


@pytest.mark.parametrize(("first", "people"), [(some_look, 4), (some_write, 5)])
def test_the_cut_off_waits_for_older_transactions(cohort, order, first, people):
    """What one begun before it writes later is in the dataset, for it is dated by its beginning."""
    dataset = order()
    with ExitStack() as ends, user_scope(cohort.ana):
        first(cohort)
        builder = ends.enter_context(building_beside(dataset))
        builder.join(1)
        some_write(cohort)
    dated = "SELECT transaction_at FROM audit_change ORDER BY id DESC LIMIT 1"
    assert owner.rows(dated)[0][0] < dataset.cut_off
    assert dataset.manifest["tables"][0]["delivered"] == people


def another_build():
    return advisory_lock(building.LOCKS, 0, "owner")


@contextmanager
def an_older_transaction():
    with transaction.atomic(using="owner"):
        Participant.objects.using("owner").count()
        yield


@pytest.mark.parametrize(
    ("waits_for", "said"),
    [
        (another_build, "waiting for another dataset to be built"),
        (an_older_transaction, "waiting for changes that are being saved"),
    ],
)
def test_a_build_that_waits_says_for_what_and_can_be_cancelled(
    cohort, order, client, waits_for, said
):
    dataset = order()
    client.force_login(cohort.fay)
    with waits_for(), building_beside(dataset) as builder:
        assert said in client.get(reverse("dataset", args=[dataset.pk])).content.decode()
        client.post(reverse("cancel_dataset", args=[dataset.pk]))
        builder.join(5)
        assert not builder.is_alive()
    assert (dataset.state, dataset.error) == ("failed", "Fay Okafor cancelled the build.")
    assert actions.build_now(request=dataset.request).state == "ready"
