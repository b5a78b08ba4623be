"""Checks that higher rooms register, run over participants after each save and nightly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

Place = tuple[str, int, str, str]  # label, key, item, rule


@dataclass(frozen=True)
class Located:
    """A finding and the record it is about; ``rule`` and place together are its identity.

    ``settled`` is one that whoever entered the value confirmed as right: counted, never asked.
    """

    label: str
    key: int
    item: str
    rule: str
    message: str
    audience: str = "site"
    settled: bool = False

    @property
    def place(self) -> Place:
        return self.label, self.key, self.item, self.rule


Check = Callable[[int], Iterable[Located]]
Upkeep = Callable[[int], None]
ManyCheck = Callable[[Sequence[int]], Iterable[tuple[int, Located]]]
_checks: list[ManyCheck] = []
_upkeeps: list[Upkeep] = []


def register(check: Check) -> Check:
    """Register ``check`` (participant id → findings). Used as a decorator by higher rooms."""

    def each(participants: Sequence[int]) -> Iterator[tuple[int, Located]]:
        for participant_no in participants:
            for found in check(participant_no):
                yield participant_no, found

    _checks.append(each)
    return check


def register_many(check: ManyCheck) -> ManyCheck:
    """Register a check that reads many participants at once: ids → (id, finding) pairs."""
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


def findings_of(participants: Sequence[int]) -> dict[Place, tuple[int, Located]]:
    """What every registered check finds about the participants, by place: (participant, finding).

    A place belongs to one record and so to one participant.
    """
    return {
        found.place: (participant_no, found)
        for check in _checks
        for participant_no, found in check(participants)
    }
