"""The rules of data queries as tables: moves, who must act, which rule asks too much."""

import itertools

import pytest

from registry.access.roles import Permission
from registry.access.scope import user_scope
from registry.quality.models import DataQuery
from registry.quality.rules import (
    MOVES,
    Act,
    Owner,
    Source,
    State,
    owner,
    permission_for,
    possible,
    to_review,
)

from .. import build


@pytest.mark.parametrize(
    ("state", "act", "after"),
    [
        ("new", "answer", "answered"),
        ("new", "close", "closed"),
        ("new", "reopen", None),
        ("answered", "answer", "answered"),
        ("answered", "close", "closed"),
        ("answered", "reopen", "new"),
        ("closed", "answer", None),
        ("closed", "close", None),
        ("closed", "reopen", "new"),
    ],
)
def test_where_each_act_leads(state, act, after):
    assert (MOVES[Act(act)].after if possible(Act(act), State(state)) else None) == after


def test_a_mended_rules_query_opens_by_itself_only():
    assert not possible(Act.REOPEN, State.CLOSED, mended=True)


@pytest.mark.parametrize(
    ("act", "source", "permission"),
    [
        ("answer", "rule", Permission.ENTER),
        ("answer", "monitor", Permission.ENTER),
        ("close", "monitor", Permission.RAISE_QUERY),
        ("close", "data_manager", Permission.RAISE_QUERY),
        ("close", "rule", Permission.MANAGE_DATA),
        ("reopen", "monitor", Permission.RAISE_QUERY),
        ("reopen", "rule", Permission.MANAGE_DATA),
    ],
)
def test_who_may(act, source, permission):
    assert permission_for(Act(act), Source(source)) == permission


@pytest.mark.parametrize(
    ("state", "audience", "source", "expected"),
    [
        ("new", "site", "rule", "site"),
        ("new", "site", "monitor", "site"),
        ("new", "data_manager", "rule", "data_manager"),
        ("answered", "site", "rule", "data_manager"),
        ("answered", "site", "data_manager", "data_manager"),
        ("answered", "site", "monitor", "monitor"),
        ("closed", "site", "monitor", "nobody"),
    ],
)
def test_who_must_act_now(state, audience, source, expected):
    assert owner(State(state), audience, Source(source)) == expected


def test_the_sql_owner_is_the_rule(cast):
    subject = build.participant(cast.ana)
    with user_scope(cast.ines):
        for number, (state, audience, source) in enumerate(
            itertools.product(State, DataQuery.Audience.values, Source)
        ):
            DataQuery.objects.create(
                site=cast.tokyo,
                participant_no=subject.pk,
                label="crfs.vcss",
                key=number,
                state=state,
                audience=audience,
                source=source,
                opened_by=cast.ines,
            )
        for one in Owner:
            for query in DataQuery.objects.owned_by(one):
                assert query.owner == one
        assert (
            sum(DataQuery.objects.owned_by(one).count() for one in Owner)
            == DataQuery.objects.count()
            == 18
        )


@pytest.mark.parametrize(
    ("firings", "settled", "review"),
    [(29, 29, False), (30, 23, False), (30, 24, True), (100, 79, False), (100, 80, True)],
)
def test_which_rule_asks_too_much(firings, settled, review):
    assert to_review(firings, settled) is review
