"""Pure rules of what a request may ask for and of the numbers shown before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext, gettext_noop

from registry.core.dictionary import items_of
from registry.participants.models import Participant
from registry.visits.crf import FORMS

from .models import DatasetRequest
from .profiles import PROFILES, Profile

CLASSES = range(7)  # of CEAP, as of 1994

# Why a participant is not in a dataset (``sharing_counts.LEFT_OUT``), in the order of the page.
REASONS = {
    "arms": gettext_noop("not in the chosen arms"),
    "sites": gettext_noop("not at the chosen sites"),
    "period": gettext_noop("not enrolled in the chosen period"),
    "classes": gettext_noop("not of the chosen classes"),
    "not_allowed": gettext_noop("consent to sharing absent"),
    "withdrawn": gettext_noop("sharing withdrawn"),
}


def arms() -> dict[str, str]:
    """Arm → label."""
    item = items_of(Participant)["arm"]
    return {code: item.choice_label(code) for code, _ in item.choices}


def forms() -> dict[str, str]:
    """Form → label."""
    return {code: kind.label for code, kind in FORMS.items()}


def classes() -> dict[str, str]:
    """CEAP class → label; '' is that of nobody examined at baseline yet."""
    return {str(one): f"C{one}" for one in CLASSES} | {"": gettext("not known")}


def begins_step(day: date, profile: Profile) -> bool:
    """Whether a period that the profile tells (a year, a half-year) begins on ``day``."""
    return day.day == 1 and (day.month - 1) % profile.months == 0


def ends_step(day: date, profile: Profile) -> bool:
    """Whether a period that the profile tells ends on ``day``."""
    return begins_step(day + timedelta(days=1), profile)


@dataclass(frozen=True)
class Count:
    """One number about ``what``, of a group its ``code``; None where it is small (or, mostly, 0).

    ``what`` is ``included``, one of :data:`REASONS`, ``visits``, ``films``, ``arm``, ``class`` or
    ``site``. They are hidden and rounded where they come from (``sharing_counts``).
    """

    what: str
    code: str
    number: int | None


@dataclass(frozen=True)
class Division:
    """The people in a dataset by one item: label and number of each group.

    It has no ``groups`` where they would give a hidden number away.
    """

    label: str
    groups: Sequence[tuple[str, int | None]]


@dataclass(frozen=True)
class Preview:
    """Who would be in a dataset and who not, and why. Numbers are rounded, None where hidden."""

    included: int | None
    left_out: Sequence[tuple[str, int | None]]  # why, how many
    visits: int | None
    films: int | None
    divisions: Sequence[Division]

    @property
    def empty(self) -> bool:
        """Whether nobody at all would be in it."""
        return self.included == 0


def preview(asked: DatasetRequest, counts: Iterable[Count]) -> Preview:
    """The counts of a request in the order of its page."""
    counts = list(counts)
    found = {one.what: one.number for one in counts}
    return Preview(
        included=found["included"],
        left_out=[
            (gettext(text), found[why]) for why, text in REASONS.items() if why in _reasons(asked)
        ],
        visits=found["visits"],
        films=found["films"],
        divisions=list(_divisions(asked, counts)) if found["included"] else [],
    )


def _reasons(asked: DatasetRequest) -> set[str]:
    """The reasons by which a request may leave somebody out: consent, and what it chooses."""
    chosen = {
        "arms": set(arms()) - set(asked.arms),
        "sites": asked.sites,
        "period": asked.enrolled_from or asked.enrolled_to,
        "classes": asked.classes,
    }
    return {"not_allowed", "withdrawn"} | {why for why, choice in chosen.items() if choice}


def _divisions(asked: DatasetRequest, counts: Sequence[Count]) -> Iterator[Division]:
    """What tells the people apart. A single group is everybody, and no division."""
    labels = {
        "arm": (gettext("Arm"), arms()),
        "class": (gettext("CEAP class at baseline"), classes()),
    }
    if PROFILES[asked.profile].tells_sites:
        labels["site"] = (gettext("Site"), {"": gettext("one site")})
    for what, (label, words) in labels.items():
        order = list(words)
        groups = [one for one in counts if one.what == what]
        groups.sort(key=lambda one: (order.index(one.code), -(one.number or 0)))
        if len(groups) != 1:
            yield Division(label, [(words[one.code], one.number) for one in groups])
