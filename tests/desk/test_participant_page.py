"""The participant's page: what is known, drawn and as a table, each a link to its record."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from registry.access.scope import user_scope
from registry.visits import actions
from registry.visits.models import Visit

from .. import build
from ..imaging import films
from ..ulcers import build as ulcers


@pytest.fixture
def followed(cast):
    """Enrolled 600 days ago: seen at baseline and 6 months, missed at 3, an ulcer since a year."""
    enrolled = cast.tokyo.today - timedelta(days=600)
    participant = build.participant(cast.ana, enrolled_on=enrolled)
    baseline = build.attended(cast.ana, participant)
    for limb in ("right", "left"):
        build.form(cast.ana, baseline, "ceap", limb, clinical="C6" if limb == "right" else "C2")
    ulcer = ulcers.ulcer(cast.ana, baseline, onset_on=str(enrolled.year - 1))
    ulcers.assessed(cast.ana, baseline, ulcer)
    films.study(cast.ana, baseline, "right")
    with user_scope(cast.ana):
        missed = Visit.objects.get(participant=participant, code="M03")
        actions.miss_visit(by=cast.ana, visit=missed, because="travelling")
    later = build.attended(cast.ana, participant, "M06")
    build.form(cast.ana, later, "ceap", "right", clinical="C6")
    ulcers.assessed(cast.ana, later, ulcer)
    return participant


def page_of(client, participant, **query):
    answer = client.get(reverse("participant", args=[participant.study_number]), query)
    assert answer.status_code == 200
    return answer


def drawn(page):
    """Accessible name → address of every mark of the drawing."""
    svg = re.search(r'<svg class="drawing".*?</svg>', page, re.S)[0]
    return dict(re.findall(r'<a class="mark" href="([^"]+)" aria-label="([^"]+)"', svg))


def test_every_fact_is_a_mark_a_row_and_a_link(client, cast, followed):
    client.force_login(cast.ana)
    answer = page_of(client, followed)
    page = answer.content.decode()
    assert len(re.findall('class="mark"', page)) == len(answer.context["timeline"].facts)
