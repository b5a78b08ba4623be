"""Two people save at the same time: one check is planned."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from registry.access.scope import user_scope
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
