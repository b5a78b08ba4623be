"""What a digest says when it goes: facts are read again, and each reader gets what is theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils import translation

from registry.access.models import Site, User
from registry.access.roles import Role

from .. import letter
from ..kinds import URGENCY, Kind
from ..models import Digest
from ..rules import Expected, holding, standing
from ..topics import TOPICS, Topic
from ..tuning import tuning_of
from .planning import mail_of, recipients_of, snoozes_of
from .reach import paused_at

BATCH = 1000  # records read again at a time


@dataclass(frozen=True, slots=True)
class Due:
    """Something told in a digest that still holds: its kind, and the group it stands in by now."""

    kind: Kind
    group: Kind
    topic: Topic
    key: int
    facts: Any


class Composition:
    """A digest as the facts are on the site's ``today``; a letter for each reader's roles."""

    def __init__(self, site: Site, digest: Digest, today: date) -> None:
        self.site, self.digest, self.today = site, digest, today
        self.tuning = tuning_of(site)
        self.recipients = recipients_of(site)
        self.can_pause = digest.kind == Digest.Kind.DAILY
        self.paused = paused_at(site) if self.can_pause else frozenset()
        self.due = sorted(
            self._still_due(), key=lambda one: (URGENCY[one.group], one.facts.day, one.key)
        )
        self._letters: dict[tuple[str, frozenset[Kind]], letter.Rendered | None] = {}

    def told_to(self, user: User) -> frozenset[Kind]:
        """The kinds of this digest that ``user`` is told; none for who is no recipient any more."""
        return self._told.get(user, frozenset())

    @cached_property
    def _told(self) -> dict[User, frozenset[Kind]]:
        by_role = {
            role: {kind for kind in self.tuning.told_to(role) if mail_of(kind) == self.digest.kind}
            for role in Role
        }
        return {
            user: frozenset[Kind]().union(*(by_role[role] for role in roles))
            for user, roles in self.recipients.items()
            if user.pk not in self.paused
        }

    def letter_for(self, user: User) -> letter.Rendered | None:
        """What ``user`` gets; None when nothing is left to say to them."""
        key = self.tuning.language or user.language, self.told_to(user)
        if key not in self._letters:
            self._letters[key] = self._write(*key)
        return self._letters[key]

    @cached_property
    def _sent_to(self) -> frozenset[int]:
        return frozenset(self.digest.deliveries.values_list("recipient", flat=True))

    def _readers(self, kinds: Collection[Kind]) -> list[str]:
        """Who is told any of ``kinds`` in this digest: whom to ask whether it is done."""
        return sorted(
            user.name
            for user, told in self._told.items()
            if user.pk in self._sent_to and not told.isdisjoint(kinds)
        )

    def _write(self, language: str, kinds: frozenset[Kind]) -> letter.Rendered | None:
        due = [one for one in self.due if one.kind in kinds]
        if not due:
            return None
        counts = Counter(one.group for one in due)
        with translation.override(language):
            named = [] if self.tuning.counts_only else lines_of(due[: letter.LONGEST])
            lines = [(one.group, line) for one, line in named]
            written = letter.write(
                self.site,
                self.today,
                counts,
                lines,
                language,
                page=reverse("recall_told", args=[self.digest.pk]),
                readers=self._readers({one.kind for one in due}),
            )
            return letter.render(written, can_pause=self.can_pause)

    def _still_due(self) -> Iterator[Due]:
        told: dict[tuple[str, int], set[str]] = {}
        rows = self.digest.recalls.values_list("label", "key", "kind", "occurrence")
        for label, key, kind, occurrence in rows.iterator():
            told.setdefault((label, key), set()).add(f"{kind} {occurrence}")
        snoozed = snoozes_of(self.site)
        for topic in TOPICS:
            keys = [key for label, key in told if label == topic.label]
            for start in range(0, len(keys), BATCH):
                some = keys[start : start + BATCH]
                for one in topic.candidates(self.site, self.today, self.tuning, some):
                    place = topic.label, one.key
                    for course in topic.courses(one.facts, self.tuning):
                        held = holding(course, self.today, snoozed.get(place))
                        if held and held.key in told[place]:
                            group = held.kind
                            if isinstance(one.facts, Expected):
                                group = standing(group, one.facts, self.today)
                            yield Due(held.kind, group, topic, one.key, one.facts)


def lines_of(due: Sequence[Due]) -> Iterator[tuple[Due, letter.Line]]:
    """Each of ``due`` with its line, in order; each topic's are read together."""
    found: dict[Topic, dict[int, letter.Line]] = {}
    for topic in {one.topic for one in due}:
        found[topic] = dict(topic.lines({one.key: one.facts for one in due if one.topic is topic}))
    for one in due:
        if line := found[one.topic].get(one.key):
            yield one, line
