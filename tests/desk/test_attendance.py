"""A visit's day, its appointment, its absence and its forms, on the pages."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.visits import actions
from registry.visits.models import FormEntry, Visit

from .. import build
from ..posting import made_for


@pytest.fixture
def ana(client, cast):
    client.force_login(cast.ana)
    return client


@pytest.fixture
def subject(cast):
    """Enrolled 400 days ago: M12 is due, M03 long closed."""
    return build.participant(cast.ana)


def visit_of(cast, subject, code):
    with user_scope(cast.ana):
        return Visit.objects.select_related("participant__site").get(participant=subject, code=code)


def send(client, name, visit, **data):
    data |= made_for(client, visit.participant)
    return client.post(reverse(name, args=[visit.pk]), data, follow=True)


# -- the appointment -----------------------------------------------------------------------------


def test_an_appointment_is_a_fact_of_its_own(ana, cast, subject):
    before = {}
    with user_scope(cast.ana):
        for one in Visit.objects.filter(participant=subject):
            before[one.code] = (one.target_on, one.opens_on, one.closes_on)
    visit = visit_of(cast, subject, "M12")
    day = cast.tokyo.today + timedelta(days=3)
    page = send(ana, "book_visit", visit, day=day.isoformat(), time="9h30", place="Room 4")
    assert "9:30 JST, Room 4" in page.content.decode()
    visit = visit_of(cast, subject, "M12")
    assert visit.booked_local.isoformat() == f"{day}T09:30:00+09:00"
    with user_scope(cast.ana):
        for one in Visit.objects.filter(participant=subject):
            assert before[one.code] == (one.target_on, one.opens_on, one.closes_on)
    page = ana.get(reverse("participant", args=[subject.study_number])).content.decode()
    assert "9:30 JST, Room 4" in page

    later = visit.closes_on + timedelta(days=2)
    page = send(ana, "book_visit", visit, day=later.isoformat(), time="14:00", place="")
    assert "2 days late" in page.content.decode()
    send(ana, "cancel_booking", visit)
    assert visit_of(cast, subject, "M12").booked_at is None
    with user_scope(cast.ana):
        changes = Change.objects.filter(label="visits.visit", key=visit.pk, action="update")
        assert changes.count() == 3


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"time": "noonish"}, "cannot be read as a time"),
        ({"day": "-1"}, "lies in the past"),
        ({"day": ""}, "still to be answered"),
        ({"place": "x" * 121}, "at most 120 letters"),
    ],
)
def test_an_appointment_that_cannot_be(ana, cast, subject, about, says):
    visit = visit_of(cast, subject, "M12")
    data = {"day": "t", "time": "9:00", "place": "Room 4"} | about
    response = send(ana, "book_visit", visit, **data)
    assert response.status_code == 422
    page = response.content.decode()
    assert says in page
    assert f'value="{data["time"]}"' in page
    assert visit_of(cast, subject, "M12").booked_at is None


def test_once_attended_the_appointment_stands(ana, cast, subject):
    visit = visit_of(cast, subject, "M12")
    send(ana, "book_visit", visit, day="t", time="9:00", place="Room 4")
    send(ana, "attend_visit", visit, visit_on="t")
    assert "The appointment is" not in send(ana, "cancel_booking", visit).content.decode()
    with user_scope(cast.ana):
        visit = visit_of(cast, subject, "M12")
        with pytest.raises(actions.VisitError, match="has taken place"):
            actions.book_visit(by=cast.ana, visit=visit, at=timezone.now(), place="")
    assert visit_of(cast, subject, "M12").booked_place == "Room 4"


# -- the day -------------------------------------------------------------------------------------


def test_a_visit_out_of_its_window_is_kept_or_recorded_as_unscheduled(ana, cast, subject):
    visit = visit_of(cast, subject, "M03")
    late = visit.closes_on + timedelta(days=12)
    page = send(ana, "attend_visit", visit, visit_on=late.isoformat()).content.decode()
    assert page.count("12 days late") == 2  # beside the day, and in the note
    assert "Keep as 3 months" in page
    page = send(ana, "record_as_unscheduled", visit).content.decode()
    assert "Recorded as Unscheduled 1; 3 months is still to come." in page
    unscheduled = visit_of(cast, subject, "UNS-1")
    visit = visit_of(cast, subject, "M03")
    assert (unscheduled.attended_on, visit.attended_on) == (late, None)
    assert {asked.form for asked in unscheduled.asked} == {asked.form for asked in visit.asked}

    send(ana, "attend_visit", visit, visit_on=late.isoformat())
    with user_scope(cast.ana):
        visit = visit_of(cast, subject, "M03")
    build.form(cast.ana, visit, "vcss", "right")
    page = ana.get(reverse("visit", args=[visit.pk])).content.decode()
    assert "12 days late" in page
    assert "Record as unscheduled" not in page
    with user_scope(cast.ana), pytest.raises(actions.VisitError, match="was begun"):
        actions.record_as_unscheduled(by=cast.ana, visit=visit)


def test_a_wrong_date_is_corrected_with_a_reason(ana, cast, subject):
    visit = visit_of(cast, subject, "M03")
    send(ana, "attend_visit", visit, visit_on=visit.target_on.isoformat())
    right = visit.target_on - timedelta(days=2)
    response = send(ana, "correct_attendance", visit, visit_on=right.isoformat(), reason="")
    assert response.status_code == 422
    send(ana, "correct_attendance", visit, visit_on=right.isoformat(), reason="a slip")
    assert visit_of(cast, subject, "M03").attended_on == right
    with user_scope(cast.ana):
        change = Change.objects.filter(label="visits.visit", key=visit.pk).latest("id")
        assert change.reason == "a slip"
        assert set(change.changes) == {"attended_on"}
    response = send(ana, "attend_visit", visit, visit_on="t")
    assert "correct that date, with a reason" in response.content.decode()


@pytest.mark.parametrize(
    ("days", "says"),
    [(1, "lies in the future"), (-401, "lies before the consent"), (-900, "before the consent")],
)
def test_nobody_comes_in_the_future_or_before_consent(ana, cast, subject, days, says):
    on = cast.tokyo.today + timedelta(days=days)
    visit = visit_of(cast, subject, "BL")
    response = send(ana, "attend_visit", visit, visit_on=on.isoformat())
    assert response.status_code == 422
    assert says in response.content.decode()
    url = reverse("add_visit", args=[subject.study_number])
    response = ana.post(url, {"visit_on": on.isoformat()} | made_for(ana, subject))
    assert response.status_code == 422
    assert says in response.content.decode()


def test_a_locked_visit_keeps_its_day(cast, subject):
    visit = build.attended(cast.ana, subject, "M03")
    with user_scope(cast.ana):
        FormEntry.objects.filter(visit=visit).update(locked_at=timezone.now())
        for change in (
            lambda: actions.correct_attendance(
                by=cast.ana, visit=visit, on=visit.target_on, reason="a slip"
            ),
            lambda: actions.add_forms(by=cast.ana, visit=visit, forms=["laboratory"]),
        ):
            with pytest.raises(actions.VisitError, match="locked"):
                change()


# -- absence -------------------------------------------------------------------------------------


def test_a_missed_visit_is_expected_again_or_took_place_after_all(ana, cast, subject):
    visit = visit_of(cast, subject, "M03")
    page = send(ana, "miss_visit", visit, because="in hospital").content.decode()
    assert "missed: in hospital" in page
    assert send(ana, "take_back_missed", visit, reason="").status_code == 422
    send(ana, "take_back_missed", visit, reason="another participant")
    assert visit_of(cast, subject, "M03").missed_because == ""
    send(ana, "miss_visit", visit, because="in hospital")
    assert (
        "take that back first"
        in send(ana, "book_visit", visit, day="t", time="9", place="").content.decode()
    )
    send(ana, "attend_visit", visit, visit_on=visit.target_on.isoformat())
    visit = visit_of(cast, subject, "M03")
    assert (visit.attended_on, visit.missed_because, visit.missed_on) == (
        visit.target_on,
        "",
        None,
    )


# -- forms ---------------------------------------------------------------------------------------


def test_a_reason_too_long_to_be_kept_whole_is_refused_and_stays_in_the_box(ana, cast, subject):
    visit = visit_of(cast, subject, "M03")
    page = send(ana, "miss_visit", visit, because="x" * 201)
    assert page.status_code == 422
    assert "At most 200 characters." in page.content.decode()
    assert "x" * 201 in page.content.decode()
    assert visit_of(cast, subject, "M03").missed_because == ""


def test_an_unscheduled_visit_asks_the_forms_chosen_and_more_later(ana, cast, subject):
    url = reverse("add_visit", args=[subject.study_number])
    page = ana.get(reverse("participant", args=[subject.study_number])).content.decode()
    assert "checked" not in page
    asked = {"visit_on": "t", "forms": ["laboratory"]} | made_for(ana, subject)
    response = ana.post(url, asked, follow=True)
    assert 'id="form-laboratory"' in response.content.decode()
    visit = visit_of(cast, subject, "UNS-1")
    page = send(ana, "add_forms", visit, forms=["vcss", "xray"]).content.decode()
    assert page.index('id="form-laboratory"') < page.index('id="form-vcss"')
    assert visit_of(cast, subject, "UNS-1").added_forms[0] == "laboratory"
    assert set(visit_of(cast, subject, "UNS-1").added_forms) == {"laboratory", "vcss", "xray"}
    for forms in ([], ["vcss"], ["nonsense"]):
        assert send(ana, "add_forms", visit, forms=forms).status_code == 422


def test_a_form_can_be_added_to_a_visit_of_the_plan(ana, cast, subject):
    visit = build.attended(cast.ana, subject, "M03")
    page = send(ana, "add_forms", visit, forms=["laboratory"]).content.decode()
    assert 'id="form-laboratory"' in page
    assert send(ana, "add_forms", visit, forms=["leg_check"]).status_code == 422


def test_an_unscheduled_visit_without_forms_says_what_to_do(ana, subject):
    url = reverse("add_visit", args=[subject.study_number])
    page = ana.post(url, {"visit_on": "t"} | made_for(ana, subject), follow=True).content.decode()
    assert "add the forms it needs" in page


def test_a_viewer_changes_nothing(client, cast, subject):
    client.force_login(cast.vera)
    visit = visit_of(cast, subject, "M12")
    page = client.get(reverse("visit", args=[visit.pk])).content.decode()
    assert "Start the visit" not in page
    for name in ("book_visit", "cancel_booking", "take_back_missed", "add_forms"):
        assert client.post(reverse(name, args=[visit.pk])).status_code == 403
