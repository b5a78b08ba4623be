"""What happens at a site in seven years: facts in the order of time, drawn by a seed.

A fact is (moment, what, …): the registry is told of it at that moment, and so is the oracle.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from .places import BEGIN, END, FIRST, LAST, Place

PEOPLE = 14
DAY = timedelta(days=1)
# Code, day after enrolment, days before and after it.
PLAN = (
    ("M03", 91, 21, 21),
    ("M06", 182, 28, 28),
    ("M12", 365, 42, 42),
    ("M18", 548, 42, 42),
    ("M24", 730, 56, 56),
    ("M36", 1095, 56, 56),
    ("M48", 1461, 56, 56),
    ("M60", 1826, 56, 56),
)
# By how many words a fact names what it makes, or what has to be there.
MAKES = {"enrolled": 1, "planned": 2}
NEEDS = {"signed": 1} | dict.fromkeys(
    ["attended", "missed", "expected_again", "moved", "snoozed", "cancelled"], 2
)
Fact = tuple[Any, ...]


def story(place: Place) -> list[Fact]:
    """The facts of a place, the same at each run."""
    told, known = [], set()
    for fact in sorted(_Teller(place).facts(), key=lambda fact: fact[0]):
        _at, what, *about = fact
        if what in MAKES:
            known.add(tuple(about[: MAKES[what]]))
        needed = tuple(about[: NEEDS.get(what, 0)])  # nothing happens to what is not there yet
        if not needed or needed in known:
            told.append(fact)
    return [fact for fact in told if BEGIN <= fact[0] < END]


def outages(place: Place) -> list[tuple[datetime, datetime]]:
    """When recall stands still: for hours, for days, and over some sending hours exactly."""
    luck = random.Random(f"{place.prefix} stands still")
    found = []
    for hours in [
        *(luck.randint(1, 30) for _ in range(60)),
        *(luck.randint(48, 480) for _ in range(14)),
    ]:
        start = place.at(FIRST + luck.randrange(2500) * DAY, time(luck.randrange(24), 7))
        found.append((start, start + timedelta(hours=hours)))
    for _ in range(10):
        start = place.at(FIRST + luck.randrange(2500) * DAY, time(place.hour))
        found.append((start, start + timedelta(minutes=luck.choice([1, 90, 600]))))
    return found


class _Teller:
    def __init__(self, place: Place) -> None:
        self.place = place
        self.luck = random.Random(place.prefix)

    def facts(self) -> Iterator[Fact]:
        for code, year in (("2.0", 2016), ("3.0", 2019)):
            yield from self._version(code, date(year, self.luck.randint(1, 12), 10))
        for person in range(PEOPLE):
            enrolled = FIRST + self.luck.randrange(-300, 1300) * DAY
            since = max(enrolled, FIRST + DAY)  # a day that has not begun before all began
            yield self._at(since, time(0), "enrolled", person, enrolled)
            for visit in PLAN:
                yield from self._visit(person, enrolled, since, *visit)
            for number in range(1, self.luck.randint(2, 4)):
                yield from self._check(person, number, since)
            yield from self._ends(person, since)
            yield from self._questions(person, since)
            yield from self._films(person, since)

    # -- one thing after another -----------------------------------------------------------------

    def _at(self, day: date, clock: time | None, what: str, *more: Any) -> Fact:
        clock = clock or time(self.luck.randrange(24), self.luck.randrange(60))
        return (self.place.at(day, clock), what, *more)

    def _on(self, day: date, what: str, *more: Any) -> Fact:
        return self._at(day, None, what, *more)

    def _soon(self, day: date, least: int, most: int) -> date:
        return day + self.luck.randint(least, most) * DAY

    def _some_day(self, since: date) -> date:
        return since + self.luck.randrange(max((LAST - since).days, 1)) * DAY

    def _chance(self, share: float) -> bool:
        return self.luck.random() < share

    def _attended(self, day: date, person: int, code: str) -> Fact:
        """Entered on the day, or some days later."""
        return self._on(
            day, "attended", person, code, day - self.luck.choice([0, 0, 0, 1, 3]) * DAY
        )

    # -- visits ----------------------------------------------------------------------------------

    def _visit(
        self, person: int, enrolled: date, since: date, code: str, after: int, *around: int
    ) -> Iterator[Fact]:
        target = enrolled + after * DAY
        opens, closes = target - around[0] * DAY, target + around[1] * DAY
        if closes > FIRST - 100 * DAY:
            yield self._at(since, time(0, 1), "planned", person, code, opens, closes)
            yield from self._fate(person, code, max(opens, since), max(closes, since))

    def _check(self, person: int, number: int, since: date) -> Iterator[Fact]:
        """An ulcer check, or a healing confirmation, planned by what was seen on some day."""
        seen = self._some_day(since)
        stem = self.luck.choice(["UC", "HC"])
        opens = self._soon(seen, 7, 30)
        code = f"{stem}-{number}"
        yield self._on(seen, "planned", person, code, opens, opens + 14 * DAY)
        if self._chance(0.2):
            yield self._on(self._soon(opens, -5, 20), "cancelled", person, code)
        else:
            yield from self._fate(person, code, opens, opens + 14 * DAY)

    def _fate(self, person: int, code: str, opens: date, closes: date) -> Iterator[Fact]:
        whole = (closes - opens).days
        lot = self.luck.random()
        if lot < 0.36:
            yield self._attended(self._soon(opens, 0, whole), person, code)
        elif lot < 0.48:
            yield self._attended(self._soon(closes, 1, 120), person, code)
        elif lot < 0.56:
            day = self._soon(opens, 0, whole + 80)
            yield self._on(day, "missed", person, code)
            if self._chance(0.4):
                again = self._soon(day, 5, 60)
                yield self._on(again, "expected_again", person, code)
                if self._chance(0.6):
                    yield self._attended(self._soon(again, 10, 60), person, code)
        elif lot < 0.68:
            day, by = self._soon(opens, -6, whole + 20), self.luck.randint(1, 40) * DAY
            yield self._on(day, "moved", person, code, by)
            if self._chance(0.5):
                yield self._attended(self._soon(day, 4, whole + 60), person, code)
        elif lot < 0.78:
            day = self._soon(opens, -20, whole + 70)
            until = self._soon(day, 3, 40)
            yield self._on(day, "snoozed", person, code, until)
            if self._chance(0.3):
                yield self._on(
                    self._soon(day, 1, 10), "snoozed", person, code, self._soon(day, 12, 60)
                )
            if self._chance(0.4):
                yield self._attended(self._soon(until, 5, 60), person, code)
        else:  # nobody comes
            yield from self._tries(person, closes)
            if self._chance(0.4):
                day = self._soon(closes, 60, 150)
                yield self._on(day, "unscheduled", person, day)

    def _tries(self, person: int, closes: date) -> Iterator[Fact]:
        day = self._soon(closes, 20, 90)
        for _ in range(self.luck.randint(0, 4)):
            outcome = self.luck.choice([*["not_reached"] * 7, "reached", "declined"])
            yield self._on(day, "tried", person, day - self.luck.choice([0, 0, 2]) * DAY, outcome)
            day = self._soon(day, 4, 30)

    # -- everything else -------------------------------------------------------------------------

    def _ends(self, person: int, since: date) -> Iterator[Fact]:
        lot, day = self.luck.random(), self._some_day(since + 300 * DAY)
        if lot < 0.08:
            yield self._on(day, "died", person)
        elif lot < 0.16:
            yield self._on(day, "ended", person)
        elif lot < 0.4:
            scope = self.luck.choice(["stop_contact", "stop_collection", "stop_sharing"])
            yield self._on(day, "withdrew", person, scope)
        elif lot < 0.7:
            yield self._on(day, "stopped", person)
            yield self._on(self._soon(day, 10, 250), "lifted", person)

    def _version(self, code: str, day: date) -> Iterator[Fact]:
        since = self._soon(day, 0, 30)
        yield self._on(day, "version", code, since)
        for person in range(PEOPLE):
            if self._chance(0.7):
                yield self._on(self._soon(since, 1, 70), "signed", person, code)

    def _questions(self, person: int, since: date) -> Iterator[Fact]:
        for number in range(3):
            question = person * 10 + number
            day = self._some_day(since)
            yield self._on(day, "asked", question, person)
            if self._chance(0.7):
                day = self._soon(day, 1, 50)
                yield self._on(day, "answered", question)
                end = self._chance(0.5)
                if end:
                    yield self._on(self._soon(day, 1, 9), "settled", question)
                if self._chance(0.6):
                    yield self._on(self._soon(day, 10, 40), "asked_again", question)

    def _films(self, person: int, since: date) -> Iterator[Fact]:
        for limb in ("right", "left"):
            day = self._some_day(since + 30 * DAY)
            yield self._on(day, "film", person, limb)
            while self._chance(0.7):
                quality = self.luck.choice(["good", "unreadable", "unreadable"])
                day = self._soon(day, 1, 40)
                yield self._on(day, "read", person, limb, quality)
                if quality == "good" or self._chance(0.3):
                    break
                day = self._soon(day, 1, 30)
                yield self._on(day, "film", person, limb)
