"""Every page asks the database as often among twelve participants as among two."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.access.models import Site, User
from registry.access.scope import scope, user_scope
from registry.participants.models import Participant
from registry.ulcers.models import Ulcer
from registry.visits.actions import add_unscheduled_visit, save_draft
from registry.visits.models import Visit

from .. import build
from ..imaging import films
from .test_urls import addresses

PEOPLE = ("ana", "ines", "chen", "fay", "jun", "kei")
# Sends a mail or asks services; nothing of the registry grows there.
FORMS = ["ceap", "leg_check", "xray", "laboratory", "vcss"]
LEFT_OUT = {"health", "account_logout"}


def follow(cast, participant):
    """A few more visits of a participant, with forms, a film, an ulcer, a draft and a question."""
    on = participant.enrolled_on
    for days in (1, 2):
        with user_scope(cast.ana):
            visit = add_unscheduled_visit(
                by=cast.ana, participant=participant, on=on + timedelta(days=days), forms=FORMS
            )
            visit = Visit.objects.select_related("participant__site").get(pk=visit.pk)
        for form, limb in (("ceap", "right"), ("leg_check", "left"), ("xray", "right")):
            record = build.form(cast.ana, visit, form, limb)
        films.film(cast.ana, record)
        build.form(cast.ana, visit, "laboratory", calcium_total=Decimal("4.5"))
        with user_scope(cast.ana):
            entry = visit.entries.get(form="vcss", limb="left")
            save_draft(by=cast.ana, entry=entry, raw={}, revision=entry.revision)
    with user_scope(cast.ana):
        ulcers = Ulcer.objects.filter(participant=participant).count()
        Ulcer.objects.create(
            participant=participant,
            limb="left",
            label=f"L{ulcers + 1}",
            location=["medial_malleolus"],
            onset_on="2025",
            ulcer_cause="venous",
            recorded_on=on,
            by=cast.ana,
        )


def grow(cast):
    """Ten more participants, three more sites, and more of whom there was."""
    with scope(User.objects.system("migration"), []):
        for number in range(3):
            Site.objects.create(prefix=f"N{number}", name=f"New {number}", time_zone="Asia/Tokyo")
    for number in range(10):
        build.participant(cast.ana, enrolled_on=cast.tokyo.today - timedelta(days=60 + 40 * number))
    with user_scope(cast.ana):
        everybody = list(Participant.objects.select_related("site"))
    for participant in everybody[:5]:
        follow(cast, participant)


def counts(client, cast, found):
    """Route → how many queries its page takes of the first who gets it."""
    asked = {}
    for person in PEOPLE:
        client.force_login(User.objects.get(pk=getattr(cast, person).pk))
        for route, address in found.items():
            if route in asked or route in LEFT_OUT:
                continue
            answer = client.get(address)  # what is remembered or made once is no page's growth
            if answer.status_code != 200:
                continue
            with CaptureQueriesContext(
                connection,
            ) as queries:
                client.get(address)
            asked[route] = [query["sql"] for query in queries]
    return asked


def shape(sql):
    """A query without its values."""
    return sql[:160]


@pytest.mark.slow  # builds a clinic twice over
def test_no_page_asks_more_often_as_the_registry_grows(client, cast):
    found = addresses(cast)
    with user_scope(cast.ana):
        first = Participant.objects.select_related("site").get()
    follow(cast, first)
    build.participant(cast.ana)
    before = counts(client, cast, found)
    grow(cast)
    after = counts(client, cast, found)
    assert after.keys() == before.keys()
    assert len(before) > 40
    grown = []
    for route, queries in after.items():
        if len(queries) != len(before[route]):
            times = {shape(sql): 0 for sql in queries}
            for sql in queries:
                times[shape(sql)] += 1
            most = max(times, key=lambda sql: times[sql])
            grown.append(
                f"{route}: {len(before[route])} queries became {len(queries)};"
                f" {times[most]} times {most}"
            )
    assert not grown, "\n".join(grown)
