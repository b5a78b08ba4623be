"""What a digest says when it goes: facts are read again, and each reader gets what is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from django.db.models import Value
from django.db.models.functions import Concat

from registry.access.models import Site, User
from registry.visits.models import Visit

from .. import letter
from ..models import Digest
from ..rules import Kind, occasion, standing
from .facts import VISIT, facts_of, visits_of
from .planning import recipients_of


class Composition:
    """A digest as the facts are on the site's ``today``; written once a language."""

    def __init__(self, site: Site, digest: Digest, today: date) -> None:
        self.site, self.digest, self.today = site, digest, today
        self._recipients = set(recipients_of(site))
        self._visits = list(self._still_due())
        self._letters: dict[str, letter.Rendered] = {}

    def told_to(self, user: User) -> bool:
        """Whether ``user`` is still a recipient at the site."""
        return user in self._recipients

    def letter_for(self, user: User) -> letter.Rendered | None:
        """What ``user`` gets; None when nothing is left to say to them."""
        if not self._visits or not self.told_to(user):
            return None
        language = user.language
        if language not in self._letters:
            written = letter.write(self.site, self.today, self._visits, language)
            self._letters[language] = letter.render(written)
        return self._letters[language]

    def _still_due(self) -> Iterator[tuple[Kind, Visit]]:
        """The visits whose occasion still holds, with where each stands."""
        told = dict(
            self.digest.recalls.filter(label=VISIT).values_list(
                "key", Concat("kind", Value(" "), "occurrence")
            )
        )
        for visit in visits_of(self.site).filter(pk__in=told):
            facts = facts_of(visit)
            holds = occasion(facts, self.today)
            if holds and holds.key == told[visit.pk]:
                yield standing(facts, self.today), visit
