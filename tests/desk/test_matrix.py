"""Participants by visits: what a cell says, whom the filters leave, and whose participants."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from registry.access.scope import user_scope
from registry.visits.actions import add_unscheduled_visit, miss_visit

from .. import build


def text(answer):
    return answer.content.decode()


def names(answer):
    """What the cells' links say."""
    return re.findall(r'<a class="cell[^>]* aria-label="([^"]+)"', text(answer))


def listed(answer):
    return re.findall(r'<th scope="row".*?(\w{3}-\d{4}-\w)</a>', text(answer))


@pytest.fixture
def people(cast):
    """Tokyo: baseline complete but for a question, overdue, a missed visit; Rio: overdue."""
    today = cast.tokyo.today
    first = build.participant(cast.ana, enrolled_on=today - timedelta(days=5))
    build.form(
        cast.ana, build.attended(cast.ana, first), "laboratory", calcium_total=Decimal("4.5")
    )
    second = build.participant(
        cast.ana, enrolled_on=today - timedelta(days=40), arm="other_calcinosis"
    )
    third = build.participant(cast.ana, enrolled_on=today - timedelta(days=3), arm="control")
    with user_scope(cast.ana):
        miss_visit(by=cast.ana, visit=third.visits.get(code="BL"), because="moved")
    return [first, second, third, build.participant(cast.ben, enrolled_on=today - timedelta(40))]


def test_a_cell_says_participant_visit_state_and_questions(client, cast, people):
    with user_scope(cast.ana):
        add_unscheduled_visit(by=cast.ana, participant=people[0], on=cast.tokyo.today)
    client.force_login(cast.ana)
    found = names(client.get(reverse("matrix")))
    number = people[0].study_number
    assert found[0] == f"{number}, Baseline, Attended, 1 question"
    assert f"{number}, 3 months, Planned" in found
    assert f"{number}, Unscheduled 1, Attended" in found
    assert f"{people[1].study_number}, Baseline, Overdue" in found
    assert f"{people[2].study_number}, Baseline, Missed" in found
    # A control has no visit at three months.
    assert not any("3 months" in name for name in found if name.startswith(people[2].study_number))


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ({}, [0, 1, 2]),
        ({"arm": "control"}, [2]),
        ({"state": "overdue"}, [1]),
        ({"state": "due"}, []),
        ({"state": "missed"}, [2]),
        ({"state": "query"}, [0]),
        ({"state": "query", "arm": "control"}, []),
    ],
)
def test_filters(client, cast, people, chosen, wanted):
    client.force_login(cast.ana)
    answer = client.get(reverse("matrix"), chosen)
    assert listed(answer) == [people[place].study_number for place in wanted]


def test_a_filter_that_is_none_is_refused(client, cast, people):
    client.force_login(cast.eli)
    assert len(listed(client.get(reverse("matrix")))) == 4
    assert listed(client.get(reverse("matrix"), {"site": "RIO"})) == [people[3].study_number]
    for wrong in ({"arm": "x"}, {"state": "x"}, {"site": "X"}):
        answer = client.get(reverse("matrix"), wrong)
        assert (answer.status_code, listed(answer)) == (422, [])


def test_nothing_of_another_site(client, cast, people):
    client.force_login(cast.ben)
    for chosen in ({}, {"state": "query"}, {"state": "overdue"}, {"arm": "control"}):
        page = text(client.get(reverse("matrix"), chosen))
        assert "TKY-" not in page
        assert "Tokyo" not in page
