"""The lists of work: filters in the address, and back to the row just handled."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.access.scope import user_scope
from registry.participants.rules import study_number
from registry.visits.actions import add_unscheduled_visit, save_draft

from .. import build
from ..posting import made_for


def text(answer):
    return answer.content.decode()


def listed(answer):
    """The study numbers of a list, in its order."""
    body = text(answer).partition("<tbody>")[2]
    return re.findall(r'<th scope="row".*?(\w{3}-\d{4}-\w)</a>', body)


def focused(answer):
    """The study number of the row that gets the focus."""
    for row in text(answer).split("<tr>"):
        if " autofocus" in row:
            return re.search(r"\w{3}-\d{4}-\w", row)[0]
    return None


def late(by, days):
    """A participant whose baseline's window closed so many days ago."""
    return build.participant(by, enrolled_on=build.site_of(by).today - timedelta(days=14 + days))


@pytest.fixture
def overdue(cast):
    """Overdue for 60, 20 and 4 days in Tokyo, 10 days in Rio."""
    return [late(cast.ana, 60), late(cast.ana, 20), late(cast.ana, 4), late(cast.ben, 10)]


def baseline(by, participant):
    with user_scope(by):
        return participant.visits.get(code="BL")


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ({}, [0, 1, 3, 2]),
        ({"site": "RIO"}, [3]),
        ({"age": "7"}, [0, 1, 3]),
        ({"age": "30", "site": "TKY"}, [0]),
        ({"visit": "BL"}, [0, 1, 3, 2]),
        ({"visit": "M24"}, []),
    ],
)
def test_filters(client, cast, overdue, chosen, wanted):
    client.force_login(cast.eli)
    answer = client.get(reverse("work_overdue"), chosen)
    assert listed(answer) == [overdue[place].study_number for place in wanted]
    assert ("Clear filters" in text(answer)) is bool(chosen)


def test_drafts_by_form_and_repeated_visit(client, cast):
    someone, on, forms = build.participant(cast.ana), cast.tokyo.today, ["laboratory", "vcss"]
    with user_scope(cast.ana):
        visit = add_unscheduled_visit(by=cast.ana, participant=someone, on=on, forms=forms)
        for form in forms:
            entry = visit.entries.filter(form=form).first()
            save_draft(by=cast.ana, entry=entry, raw={}, revision=0)
    client.force_login(cast.ana)
    page = reverse("work_drafts")
    for chosen, rows in (
        ({}, 2),
        ({"form": "vcss"}, 1),
        ({"form": "ceap"}, 0),
        ({"visit": "UNS"}, 2),
        ({"visit": "BL"}, 0),
        ({"age": "2"}, 0),
    ):
        assert len(listed(client.get(page, chosen))) == rows, chosen


@pytest.mark.parametrize("chosen", [{"age": "3"}, {"visit": "X"}, {"site": "XXX"}])
def test_a_filter_that_is_none_is_refused(client, cast, overdue, chosen):
    client.force_login(cast.eli)
    answer = client.get(reverse("work_overdue"), chosen)
    assert (answer.status_code, listed(answer)) == (422, [])
    assert "<title>Error:" in text(answer)


def test_only_who_enters_has_drafts_and_no_list_is_made_up(client, cast):
    client.force_login(cast.vera)
    for group, status in (("overdue", 200), ("drafts", 403), ("nothing", 404), ("to_answer", 404)):
        assert client.get(f"/work/{group}/").status_code == status


# -- and back (ux.md rule 39) ------------------------------------------------------------------


def back(client, visit):
    page = text(client.get(reverse("visit", args=[visit.pk])))
    found = re.search(r'<a href="([^"]+)">.{,600}?Back to the list', page, re.S)
    return found[1].replace("&amp;", "&") if found else None


def test_back_to_the_row_one_came_from(client, cast, overdue):
    client.force_login(cast.ana)
    visit = baseline(cast.ana, overdue[1])
    assert back(client, visit) is None
    client.get(reverse("work_overdue"), {"visit": "BL"})
    answer = client.get(back(client, visit))
    assert listed(answer) == [one.study_number for one in overdue[:3]]
    assert focused(answer) == overdue[1].study_number
    assert focused(client.get(reverse("work_overdue"))) is None


def test_a_row_that_is_done_leaves_the_focus_to_the_next_one(client, cast, overdue):
    client.force_login(cast.ana)
    client.get(reverse("work_overdue"))
    visits = [baseline(cast.ana, one) for one in overdue[:3]]
    for handled, following in ((1, 2), (2, 0)):
        typed = {"visit_on": "t"} | made_for(client, overdue[handled])
        client.post(reverse("attend_visit", args=[visits[handled].pk]), typed)
        answer = client.get(back(client, visits[handled]))
        assert focused(answer) == overdue[following].study_number


def test_from_the_matrix_one_goes_back_to_the_participants_row(client, cast, overdue):
    client.force_login(cast.ana)
    client.get(reverse("matrix"))
    visit = baseline(cast.ana, overdue[1])
    assert focused(client.get(back(client, visit))) == overdue[1].study_number


def test_the_next_visit_that_is_due_is_one_press_away(client, cast, overdue):
    client.force_login(cast.ana)

    def following(participant):
        page = text(client.get(reverse("visit", args=[baseline(cast.ana, participant).pk])))
        found = re.search(r"Next due: (\S+),", page)
        return found and found[1]

    in_turn = [one.study_number for one in overdue[:3]]
    assert [following(one) for one in overdue[:3]] == [in_turn[1], in_turn[2], in_turn[0]]
    client.force_login(cast.vera)
    assert following(overdue[0]) is None


def test_search_stands_in_the_header_for_who_may_view(client, cast):
    for who, there in (("ana", True), ("eli", True), ("chen", False), ("kei", False)):
        client.force_login(getattr(cast, who))
        page = text(client.get(reverse("home"), follow=True))
        assert ('name="q"' in page.partition("<main")[0]) is there


def test_a_foreign_number_costs_the_same_questions_as_none(
    client, cast, overdue, django_assert_num_queries
):
    client.force_login(cast.ana)
    missing = study_number("RIO", 77)
    client.get(reverse("participants"), {"q": missing})
    with CaptureQueriesContext(connection) as asked:
        client.get(reverse("participants"), {"q": missing})
    with django_assert_num_queries(len(asked)):
        client.get(reverse("participants"), {"q": overdue[3].study_number})
