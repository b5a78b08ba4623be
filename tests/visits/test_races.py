"""Two people save at the same time: one check is planned, and neither waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connection

from registry.access.scope import user_scope
from registry.visits import planning
from registry.visits.actions import VisitError, attend_visit, attendance, discard_draft, save_draft
from registry.visits.models import Visit

from .. import build
from ..people import make_cast
from ..ulcers import build as ulcer_build

pytestmark = pytest.mark.slow


@pytest.fixture
def scene(committed):
    """A participant with an ulcer on each leg that import wrote: nothing is planned yet."""
    cast = make_cast()
    subject = build.participant(cast.ana)
    baseline = build.attended(cast.ana, subject)
    for limb in ("right", "left"):
        ulcer_build.ulcer(cast.ana, baseline, limb)
    with user_scope(cast.ana):
        Visit.objects.filter(participant=subject).of_kind("UC").update(cancelled_on="2026-01-01")
    return cast, baseline


def test_saves_at_the_same_moment_plan_one_check(scene):
    cast, baseline = scene
    start = threading.Barrier(4)
    work = [
        ("leg_check", "right", cast.ana),
        ("leg_check", "left", cast.hiro),
        ("vcss", "right", cast.ana),
        ("vcss", "left", cast.hiro),
    ]

    def save(form, limb, by):
        try:
            start.wait()
            values = {"any_open_ulcer": True} if form == "leg_check" else {}
            build.form(by, baseline, form, limb, **values)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        for outcome in [pool.submit(save, *one) for one in work]:
            outcome.result()
    with user_scope(cast.ana):
        checks = Visit.objects.filter(participant=baseline.participant).of_kind("UC")
        assert [visit.code for visit in checks.not_started()] == ["UC-2"]
        assert checks.count() == 2


def test_who_attends_the_visit_that_another_cancels_waits_or_is_told(committed, monkeypatch):
    """Ana records that the check took place while Hiro completes the form that ends its need."""
    cast = make_cast()
    subject = build.participant(cast.ana)
    baseline = build.attended(cast.ana, subject)
    wound = ulcer_build.ulcer(cast.ana, baseline)
    meeting = threading.Barrier(2)

    def meet(then):
        """Each has taken its first lock before either goes on, unless one waits already."""

        def met(*arguments):
            with suppress(threading.BrokenBarrierError):
                meeting.wait(1)
            return then(*arguments)

        return met

    monkeypatch.setattr(
        attendance, "_refuse_impossible_day", meet(attendance._refuse_impossible_day)
    )
    monkeypatch.setattr(planning, "wanted", meet(planning.wanted))

    def attend():
        try:
            with user_scope(cast.ana):
                check = Visit.objects.select_related("participant__site").get(
                    participant=subject, code="UC-1"
                )
                attend_visit(by=cast.ana, visit=check, on=check.target_on)
        except VisitError as refused:
            return str(refused)
        finally:
            connection.close()

    def complete():
        try:
            ulcer_build.assessed(cast.hiro, baseline, wound, "closed")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        attended, completed = pool.submit(attend), pool.submit(complete)
        completed.result()
        refused = attended.result()
    with user_scope(cast.ana):
        check = Visit.objects.get(participant=subject, code="UC-1")
    assert bool(check.attended_on) is (refused is None)
    assert bool(check.cancelled_on) is (refused is not None)


def test_a_visit_whose_last_two_forms_are_finished_at_one_moment_waits_for_a_signature(committed):
    """Ana completes a form, and before that is seen Hiro gives up a draft of another."""
    cast = make_cast()
    visit = build.completed(cast.ana, build.participant(cast.ana))
    with user_scope(cast.ana):
        left, right = visit.entries.filter(form="vcss").order_by("limb")
        for entry in (left, right):
            save_draft(by=cast.ana, entry=entry, raw={}, revision=entry.revision)
        assert not Visit.objects.get(pk=visit.pk).to_sign
    completing = threading.Event()

    def give_up():
        completing.wait()
        try:
            with user_scope(cast.hiro):
                right.refresh_from_db()
                discard_draft(by=cast.hiro, entry=right, revision=right.revision)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        given_up = pool.submit(give_up)
        with user_scope(cast.ana):
            build.form(cast.ana, visit, "vcss", "left")
            completing.set()
            with suppress(TimeoutError):
                given_up.result(1)  # it waits for this transaction
        given_up.result()
    with user_scope(cast.ana):
        assert Visit.objects.get(pk=visit.pk).to_sign
