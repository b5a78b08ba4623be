"""Checks that higher rooms register, run over one participant after each save and nightly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Located:
    """A finding and the record it is about; ``rule`` and place together are its identity."""

    label: str
    key: int
    item: str
    rule: str
    message: str
    audience: str = "site"


Check = Callable[[int], Iterable[Located]]
Upkeep = Callable[[int], None]
_checks: list[Check] = []
_upkeeps: list[Upkeep] = []


def register(check: Check) -> Check:
    """Register ``check`` (participant id → findings). Used as a decorator by higher rooms."""
    _checks.append(check)
    return check


def keeps_up(upkeep: Upkeep) -> Upkeep:
    """Register ``upkeep`` (participant id): it brings stored values up to date before the checks.

    For what a record derives from other records; writes only what differs.
    """
    _upkeeps.append(upkeep)
    return upkeep


def keep_up(participant_no: int) -> None:
    for upkeep in _upkeeps:
        upkeep(participant_no)


def findings_of(participant_no: int) -> dict[tuple[str, int, str, str], Located]:
    """What every registered check finds about one participant, by place and rule."""
    return {
        (found.label, found.key, found.item, found.rule): found
        for check in _checks
        for found in check(participant_no)
    }
