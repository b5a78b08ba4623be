"""Data queries on pages: who sees which, where each leads, and who may do what to them."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from registry.access.scope import user_scope
from registry.audit.models import Change
from registry.quality.models import DataQuery, QueryMessage

from .. import build

ODD = {"calcium_total": "3.5", "calcium_total_typed": "3.5", "calcium_total_unit": "mmol/L"}


def odd_calcium(by):
    visit = build.attended(by, build.participant(by))
    build.form(by, visit, "laboratory", **ODD)
    with user_scope(by):
        return visit, DataQuery.objects.get(item="calcium_total")


@pytest.fixture
def pair(cast):
    return odd_calcium(cast.ana)


@pytest.fixture
def query(pair):
    return pair[1]


def listed(client, **filters):
    return client.get(reverse("queries"), filters).content.decode()


def test_a_query_is_seen_at_its_site_and_leads_to_its_very_field(client, cast, pair):
    visit, query = pair
    client.force_login(cast.ana)
    assert query.message in listed(client)
    there = client.get(reverse("query", args=[query.pk]))["Location"]
    assert there == reverse("visit", args=[visit.pk]) + "#id_laboratory-calcium_total"
    page = client.get(there).content.decode()
    assert 'id="id_laboratory-calcium_total"' in page
    assert page.count(query.message) >= 1
    client.force_login(cast.ben)
    assert query.message not in listed(client)
    for name in ("query", "query_thread"):
        assert client.get(reverse(name, args=[query.pk])).status_code == 404


def test_queries_for_the_data_manager_are_the_data_managers(client, cast, query):
    with user_scope(cast.ana):
        DataQuery.objects.filter(pk=query.pk).update(audience="data_manager")
    for who, sees in ((cast.ana, False), (cast.eli, False), (cast.ines, True)):
        client.force_login(who)
        assert (query.message in listed(client)) is sees
        assert (client.get(reverse("query", args=[query.pk])).status_code == 302) is sees
        assert (client.get(reverse("query_thread", args=[query.pk])).status_code == 200) is sees
        changes = reverse("history", args=["quality.dataquery", query.pk])
        assert (client.get(changes).status_code == 200) is sees


def test_a_rules_thread_begins_with_what_it_found(client, cast, query):
    client.force_login(cast.ana)
    page = client.get(reverse("query_thread", args=[query.pk])).content.decode()
    assert "Baseline · Laboratory · Total calcium" in page
    assert re.search(r"Rule\s*·\s*Asked", page)


# -- the list's filters --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "seen"),
    [
        ({}, True),
        ({"state": "new"}, True),
        ({"state": "closed"}, False),
        ({"state": "nonsense"}, True),
        ({"form": "crfs.laboratory"}, True),
        ({"form": "crfs.vcss"}, False),
        ({"owner": "site"}, True),
        ({"owner": "monitor"}, False),
        ({"days": "7"}, True),
        ({"days": "30"}, False),
        ({"site": "0"}, False),
        ({"site": "99999999999999999999"}, False),
        ({"participant": "1"}, True),
        ({"participant": "TKY-0099"}, False),
        ({"sort": "-opened", "page": "99"}, True),
        ({"sort": "password"}, True),
    ],
)
def test_each_filter_is_in_the_address(client, cast, query, filters, seen):
    with user_scope(cast.ana):
        long_ago = timezone.now() - timedelta(days=8)
        DataQuery.objects.filter(pk=query.pk).update(opened_at=long_ago)
    client.force_login(cast.eli)
    page = listed(client, **filters)
    assert (query.message in page) is seen
    assert ("Clear filters" in page) is bool(filters.keys() - {"sort", "page"})


def test_an_unreadable_study_number_is_said_and_kept(client, cast, query):
    client.force_login(cast.ana)
    response = client.get(reverse("queries"), {"participant": "Ünknown?"})
    assert response.status_code == 422
    assert 'value="Ünknown?"' in response.content.decode()


def test_the_list_sorts_by_one_column_and_says_which(client, cast, query):
    client.force_login(cast.ana)
    page = listed(client, sort="-opened")
    assert page.count("aria-sort") == 1
    assert 'aria-sort="descending"' in page
    assert "?sort=opened" in page


def test_the_list_asks_the_database_no_more_for_more_queries(
    client, cast, query, django_assert_max_num_queries
):
    client.force_login(cast.ana)
    listed(client)
    with django_assert_max_num_queries(40) as first:
        listed(client)
    for _more in range(3):
        odd_calcium_of_another(cast.ana)
    with django_assert_max_num_queries(len(first)):
        assert "4 queries" in listed(client)


def odd_calcium_of_another(by):
    visit = build.attended(by, build.participant(by))
    build.form(by, visit, "laboratory", **ODD)


# -- who may do what -----------------------------------------------------------------------------


def act(client, query, what, **data):
    return client.post(reverse("act_on_query", args=[query.pk, what]), data)


def state_of(cast, query):
    with user_scope(cast.ines):
        return DataQuery.objects.get(pk=query.pk)


@pytest.mark.parametrize(
    ("who", "what", "status", "state"),
    [
        ("ana", "answer", 302, "answered"),
        ("hiro", "answer", 302, "answered"),
        ("vera", "answer", 403, "new"),
        ("ben", "answer", 404, "new"),
        ("eli", "answer", 422, "new"),
        ("ana", "close", 422, "new"),
        ("eli", "close", 422, "new"),  # a rule's query is the data manager's to accept
        ("ines", "close", 302, "closed"),
        ("ines", "nonsense", 404, "new"),
    ],
)
def test_who_may_do_what_to_a_rules_query(client, cast, query, who, what, status, state):
    client.force_login(getattr(cast, who))
    assert act(client, query, what, text="Sure.").status_code == status
    assert state_of(cast, query).state == state


def ask(client, record, item, **data):
    url = reverse("ask", args=[record._meta.label_lower, record.pk, item])
    return client.post(url, data)


@pytest.fixture
def record(cast):
    visit = build.attended(cast.ana, build.participant(cast.ana))
    return build.form(cast.ana, visit, "vcss", "right", pain=2)


def test_a_monitors_question_from_asking_to_closing(client, cast, record):
    client.force_login(cast.eli)
    response = ask(client, record, "pain", text="Is this 2 in the notes?")
    raised = DataQuery.objects.filter(item="pain")
    with user_scope(cast.eli):
        query = raised.get()
    assert response["Location"] == reverse("query_thread", args=[query.pk])
    assert (query.source, query.owner, query.rule) == ("monitor", "site", "")

    client.force_login(cast.ana)
    page = client.get(client.get(reverse("query", args=[query.pk]))["Location"]).content.decode()
    assert "Is this 2 in the notes?" in page
    assert act(client, query, "close").status_code == 422
    act(client, query, "answer", text="Yes, page 3.")
    assert state_of(cast, query).owner == "monitor"

    client.force_login(cast.eli)
    act(client, query, "reopen", text="Page 3 says 1.")
    assert state_of(cast, query).owner == "site"
    client.force_login(cast.ana)
    act(client, query, "answer", text="Corrected.")
    client.force_login(cast.eli)
    assert act(client, query, "close", text="").status_code == 302
    done = state_of(cast, query)
    assert (done.state, done.closed_by, done.owner) == ("closed", cast.eli, "nobody")
    with user_scope(cast.eli):
        turns = list(query.messages.values_list("act", "by__name", "text"))
        states = [
            change.changes["state"][1]
            for change in Change.objects.filter(label="quality.dataquery", key=query.pk)
            if "state" in change.changes
        ]
    assert turns == [
        ("asked", "Eli Stone", "Is this 2 in the notes?"),
        ("answered", "Ana Sato", "Yes, page 3."),
        ("reopened", "Eli Stone", "Page 3 says 1."),
        ("answered", "Ana Sato", "Corrected."),
        ("closed", "Eli Stone", ""),
    ]
    assert states == ["new", "answered", "new", "answered", "closed"]


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001])
def test_a_question_that_says_nothing_or_too_much_is_kept_and_refused(client, cast, record, text):
    client.force_login(cast.eli)
    response = ask(client, record, "pain", text=text)
    assert response.status_code == 422
    assert text.strip() in response.content.decode()
    with user_scope(cast.eli):
        assert not DataQuery.objects.filter(item="pain").exists()


def test_closing_words_too_long_to_be_kept_whole_are_refused_and_stay(client, cast, query):
    client.force_login(cast.ines)
    response = client.post(reverse("act_on_query", args=[query.pk, "close"]), {"text": "x" * 2001})
    assert response.status_code == 422
    assert "At most 2000 characters." in response.content.decode()
    assert "x" * 2001 in response.content.decode()
    with user_scope(cast.ines):
        assert DataQuery.objects.get(pk=query.pk).state == "new"


@pytest.mark.parametrize(
    ("who", "label", "item", "status"),
    [
        ("eli", "crfs.vcss", "pain", 200),
        ("ines", "crfs.vcss", "pain", 200),
        ("ana", "crfs.vcss", "pain", 403),
        ("eli", "crfs.vcss", "nonsense", 404),
        ("eli", "crfs.vcss", "entry", 404),
        ("eli", "participants.identity", "family_name", 404),
        ("eli", "access.user", "email", 404),
        ("eli", "nonsense", "pain", 404),
    ],
)
def test_what_can_be_asked_about_and_by_whom(client, cast, record, who, label, item, status):
    client.force_login(getattr(cast, who))
    assert client.get(reverse("ask", args=[label, record.pk, item])).status_code == status


def test_one_asks_about_a_participants_item_too(client, cast, record):
    with user_scope(cast.eli):
        subject = record.entry.participant
    client.force_login(cast.eli)
    assert ask(client, subject, "sex", text="Really?").status_code == 302
    with user_scope(cast.eli):
        query = DataQuery.objects.get(item="sex")
    there = client.get(reverse("query", args=[query.pk]))["Location"]
    assert there == reverse("participant", args=[subject.study_number])


# -- beside the item -----------------------------------------------------------------------------


def test_an_answer_beside_the_item_brings_back_the_note_alone(client, cast, query):
    client.force_login(cast.ana)
    url = reverse("act_on_query", args=[query.pk, "answer"])
    wrong = client.post(url, {f"text-{query.pk}": " "}, headers={"HX-Request": "true"})
    assert "Write your answer." in wrong.content.decode()
    response = client.post(url, {f"text-{query.pk}": "Seen."}, headers={"HX-Request": "true"})
    note = response.content.decode()
    assert note.lstrip().startswith('<div class="note">')
    assert "Seen." in note
    assert state_of(cast, query).state == "answered"


def test_without_a_script_one_comes_back_to_the_field(client, cast, query):
    client.force_login(cast.ana)
    response = act(client, query, "answer", **{f"text-{query.pk}": "Seen.", "beside": "1"})
    assert response["Location"] == reverse("query", args=[query.pk])


def test_a_monitor_asks_beside_the_item_with_one_press(client, cast, record):
    client.force_login(cast.eli)
    page = client.get(reverse("visit", args=[record.entry.visit_id])).content.decode()
    url = reverse("ask", args=["crfs.vcss", record.pk, "pain"])
    assert f'hx-get="{url}"' in page
    box = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in box
    name = f"ask-crfs.vcss-{record.pk}-pain"
    assert f'name="{name}"' in box
    note = client.post(url, {name: "Why?"}, headers={"HX-Request": "true"}).content.decode()
    assert "Why?" in note


def test_a_coordinator_sees_no_tools_and_no_closed_query(client, cast, query):
    client.force_login(cast.ines)
    act(client, query, "close")
    client.force_login(cast.ana)
    page = client.get(client.get(reverse("query", args=[query.pk]))["Location"]).content.decode()
    assert reverse("query_thread", args=[query.pk]) not in page
    assert "Ask about this" not in page


def test_the_notes_cost_the_same_however_many_queries_there_are(
    client, cast, record, django_assert_max_num_queries
):
    client.force_login(cast.eli)
    url = reverse("visit", args=[record.entry.visit_id])
    ask(client, record, "pain", text="Why?")
    client.get(url)
    with django_assert_max_num_queries(100) as first:
        client.get(url)
    count = len(first)  # forgotten with the next request
    for item in ("oedema", "pigmentation", "pain"):
        ask(client, record, item, text="Why?")
    with django_assert_max_num_queries(count):
        client.get(url)


def test_a_thread_is_never_changed(cast, query):
    from django.db import DatabaseError, transaction

    with user_scope(cast.ana):
        assert query.messages.count() == 1
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            QueryMessage.objects.update(text="else")
