"""The participant's page as a browser shows it: on the hospital PC, a phone, without script."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from registry.access.scope import user_scope
from registry.visits import actions
from registry.visits.models import Visit

from .. import build
from ..imaging import films
from ..ulcers import build as ulcers

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SAPHENA_PICTURES")


def picture(page, name, **options):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True, **options)


def followed(clinic):
    """Two years of a participant: ulcers that heal and recur, a missed visit, films, classes."""
    ana = clinic.ana
    enrolled = clinic.tokyo.today - timedelta(days=800)
    participant = build.participant(ana, enrolled_on=enrolled)
    baseline = build.attended(ana, participant)
    first = ulcers.ulcer(ana, baseline, onset_on=str(enrolled.year - 1))
    left = ulcers.ulcer(ana, baseline, "left", onset_on=f"{enrolled - timedelta(days=90):%Y-%m}")
    courses = {
        "BL": ("C6", "C6", "open", "open"),
        "M03": ("C6", "C6", "open", "open"),
        "M12": ("C5", "C6", "closed", "open"),
        "M18": ("C5", "C5", "closed", "closed"),
    }
    for code, (right_class, left_class, right_state, left_state) in courses.items():
        visit = baseline if code == "BL" else build.attended(ana, participant, code)
        build.form(ana, visit, "ceap", "right", clinical=right_class)
        build.form(ana, visit, "ceap", "left", clinical=left_class)
        ulcers.assessed(ana, visit, first, right_state)
        ulcers.assessed(ana, visit, left, left_state)
        for limb in ("right", "left"):
            build.form(ana, visit, "vcss", limb, pain=2, oedema=1)
        if code in ("BL", "M12"):
            build.form(ana, visit, "laboratory", calcium_total="2.31", albumin="41")
            films.graded(ana, clinic.chen, visit, calcification="present", pattern="reticular")
            films.study(ana, visit, "left")
    with user_scope(ana):
        missed = Visit.objects.get(participant=participant, code="M06")
        actions.miss_visit(by=ana, visit=missed, because="travelling")
    return participant


def test_the_course_fits_the_hospital_pc(clinic, server, sign_in):
    participant = followed(clinic)
    page = sign_in(clinic.ana)
    page.goto(f"{server}/participants/{participant}/")
    picture(page, "participant")
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    page.set_viewport_size({"width": 800, "height": 1280})
    picture(page, "participant-tablet")
