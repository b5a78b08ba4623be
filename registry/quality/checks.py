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
_checks: list[Check] = []


def register(check: Check) -> Check:
    """Register ``check`` (participant id → findings). Used as a decorator by higher rooms."""
    _checks.append(check)
    return check


def findings_of(participant_no: int) -> dict[tuple[str, int, str, str], Located]:
    """What every registered check finds about one participant, by place and rule."""
    return {
        (found.label, found.key, found.item, found.rule): found
        for check in _checks
        for found in check(participant_no)
    }
