"""Pure rules of what a request may ask for and of the numbers shown before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registry.core.dictionary import items_of
from registry.participants.models import Participant
from registry.visits.crf import FORMS


def arms() -> dict[str, str]:
    """Arm → label."""
    item = items_of(Participant)["arm"]
    return {code: item.choice_label(code) for code, _ in item.choices}


def forms() -> dict[str, str]:
    """Form → label."""
    return {code: kind.label for code, kind in FORMS.items()}


@dataclass(frozen=True)
class Count:
    """Participants of an ``arm`` with one ``outcome``: shared, not_allowed or withdrawn.

    ``people`` is None where there are few; where there are none there is no count at all.
    """

    arm: str
    outcome: str
    people: int | None


@dataclass(frozen=True)
class Some:
    """A sum of which some parts may be hidden because they are small."""

    people: int
    hidden: bool


@dataclass(frozen=True)
class Preview:
    """Who would be in a dataset and who not, and why."""

    included: Some
    not_allowed: Some
    withdrawn: Some

    @property
    def empty(self) -> bool:
        """Whether nobody at all would be in it."""
        return not self.included.people and not self.included.hidden


def preview(counts: Iterable[Count], arms: Sequence[str]) -> Preview:
    """The counts of the chosen arms. Nothing is summed over what is hidden and shown beside it."""
    counts = list(counts)

    def of(outcome: str) -> Some:
        found = [one.people for one in counts if one.arm in arms and one.outcome == outcome]
        return Some(sum(people or 0 for people in found), None in found)

    return Preview(of("shared"), of("not_allowed"), of("withdrawn"))
