"""Pure rules of data queries: who may do what when, who must act now, which rule needs review."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from registry.access.roles import Permission


class State(StrEnum):
    NEW = "new"
    ANSWERED = "answered"
    CLOSED = "closed"


class Source(StrEnum):
    """Who asked."""

    RULE = "rule"
    MONITOR = "monitor"
    DATA_MANAGER = "data_manager"


class Owner(StrEnum):
    """Who must act now."""

    SITE = "site"
    MONITOR = "monitor"
    DATA_MANAGER = "data_manager"
    NOBODY = "nobody"


class Act(StrEnum):
    """What a person may do to a query; the values are those of the addresses."""

    ANSWER = "answer"
    CLOSE = "close"
    REOPEN = "reopen"


class Move(NamedTuple):
    """From which states an act leads where."""

    before: frozenset[State]
    after: State


MOVES: dict[Act, Move] = {
    Act.ANSWER: Move(frozenset({State.NEW, State.ANSWERED}), State.ANSWERED),
    Act.CLOSE: Move(frozenset({State.NEW, State.ANSWERED}), State.CLOSED),
    Act.REOPEN: Move(frozenset({State.ANSWERED, State.CLOSED}), State.NEW),
}


def permission_for(act: Act, source: Source) -> Permission:
    """What somebody needs for an act: a site answers, whoever may ask closes what a person asked.

    Only the data manager closes a rule's query, which otherwise closes itself when the data are
    mended: closing it says that the data are right as they stand.
    """
    if act == Act.ANSWER:
        return Permission.ENTER
    return Permission.MANAGE_DATA if source == Source.RULE else Permission.RAISE_QUERY


def possible(act: Act, state: State, *, mended: bool = False) -> bool:
    """Whether ``act`` leads anywhere from ``state``; a rule's mended query opens by itself only."""
    return state in MOVES[act].before and not (act == Act.REOPEN and mended)


def owner(state: State, audience: str, source: Source) -> Owner:
    """Who must act now on a query for ``audience`` (``site`` or ``data_manager``)."""
    if state == State.CLOSED:
        return Owner.NOBODY
    if state == State.NEW:
        return Owner(audience)
    return Owner.MONITOR if source == Source.MONITOR else Owner.DATA_MANAGER


# ux.md rule 32: a rule that fires often and is nearly always answered "It is right" is too narrow.
REVIEW_FROM = 30
REVIEW_SHARE = 0.8


def to_review(firings: int, settled: int) -> bool:
    return firings >= REVIEW_FROM and settled >= REVIEW_SHARE * firings
