"""Several ticks and changes at once: each change is told once, in order."""

import pytest
from django.db import IntegrityError, transaction

from registry.access.models import Site
from registry.access.scope import user_scope
from registry.recall import tasks
from registry.recall.actions import inviting
from registry.recall.models import Delivery, Digest, Invitation

from ..people import make_cast
from .bookings import book, booked, invite, mails, unbook
from .test_races import at_once

pytestmark = pytest.mark.slow


@pytest.fixture
def clinic(committed):
    """The cast, with two booked visits in Tokyo."""
    cast = make_cast()
    cast.visits = [booked(cast.ana), booked(cast.ana)]
    with user_scope(cast.kei):
        Site.objects.update(sending_hour=23)
    return cast


def test_eight_ticks_at_once_write_and_send_each_change_once(clinic, sink, eager):
    at_once(8, tasks.tick)
    book(clinic.ana, clinic.visits[0], days=9)
    unbook(clinic.ana, clinic.visits[1])
    at_once(8, tasks.tick)
    at_once(8, tasks.tick)
    calendars = [one for one in sink.mails if one[1].get_content_type() == "multipart/mixed"]
    sink.mails = calendars
    said = sorted((mail.event["UID"], mail.event["SEQUENCE"]) for mail in mails(sink))
    assert len(said) == len(set(said)) == 4
    assert sorted(mail.said for mail in mails(sink)) == [
        ("CANCEL", 1),
        ("REQUEST", 0),
        ("REQUEST", 0),
        ("REQUEST", 1),
    ]
    with user_scope(clinic.ana):
        calendar = Digest.objects.filter(kind="calendar")
        assert calendar.count() == Invitation.objects.count() == 4
        assert Invitation.objects.filter(latest=True).count() == 2
        states = Delivery.objects.filter(digest__in=calendar).values_list("state", "attempts")
        assert set(states) == {("sent", 1)}


def test_of_eight_that_found_the_same_one_writes(clinic):
    assert sorted(at_once(8, lambda: invite(clinic.tokyo))) == [0] * 7 + [2]


def test_who_dies_while_writing_leaves_nothing(clinic, monkeypatch):
    with monkeypatch.context() as dying:
        dying.setattr(inviting, "deliver", lambda *_digest: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            invite(clinic.tokyo)
    with user_scope(clinic.ana):
        assert not Invitation.objects.exists()
        assert not Digest.objects.exists()
    assert invite(clinic.tokyo) == 2


def test_the_database_holds_one_latest_row_for_a_visit(clinic):
    invite(clinic.tokyo)
    with user_scope(clinic.ana):
        row = Invitation.objects.first()
        digest = Digest.objects.create(site=clinic.tokyo, day=clinic.tokyo.today, about="x")
        row.pk, row.digest, row.sequence = None, digest, row.sequence + 1
        with transaction.atomic(), pytest.raises(IntegrityError):
            row.save()
