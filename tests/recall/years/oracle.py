"""What a site is told in seven years, worked out plainly: from the facts alone, day after day.

Written from the issue's words, without the rules of recall. Each thing that waits has a diary of
days; on a day when mails go, the diary's days that have come are torn off, and the last of them is
told.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from .places import Place
from .story import Fact

DAY = timedelta(days=1)
STANDARD = {
    "coming_up": (30, 7),
    "open": (0,),
    "closing": (7,),
    "overdue": (7, 21, 35, 49),
    "escalated": (30,),
    "escalated_twice": (60,),
    "contact": (63, 14),
    "consent": (0, 30),
    "query": (14,),
    "film_unread": (14,),
    "film_sent_back": (0, 14),
}
OPENING = {"UC": "check_ulcers", "HC": "confirm_healing"}
AT_ONCE = {"escalated", "escalated_twice"}  # these do not wait for the weekday of the daily mail
SITE = ("coordinator", "investigator")
TOLD_TO = dict.fromkeys([*STANDARD, *OPENING.values()], SITE) | {
    "escalated": ("investigator",),
    "escalated_twice": ("manager",),
    "film_sent_back": ("coordinator",),
    "film_unread": ("manager",),
}


class Diary:
    """Days on which something is to be told, until the next of them has come."""

    def __init__(self) -> None:
        self.leaves: list[tuple[date, str]] = []
        self.last: str | None = None
        self.silent_until: date | None = None

    def write(self, *leaves: tuple[date, str]) -> None:
        self.leaves = sorted(leaves, key=lambda leaf: leaf[0])
        self.last = None

    def hush(self, until: date) -> None:
        self.silent_until = until

    def tear_off(self, today: date) -> str | None:
        """The kind to tell today, if any."""
        if self.silent_until and today < self.silent_until:
            return None
        speaks = False
        while self.leaves and self.leaves[0][0] <= today:
            self.last, speaks = self.leaves.pop(0)[1], True
        if self.silent_until:  # it was quiet long enough, and says where it stands
            self.silent_until, speaks = None, True
        return self.last if speaks else None


class Visit:
    def __init__(self, code: str) -> None:
        self.code = code
        self.state = "expected"
        self.attended_on: date | None = None
        self.opens = self.closes = date.min
        self.site, self.first, self.second = Diary(), Diary(), Diary()


class Person:
    def __init__(self) -> None:
        self.visits: dict[str, Visit] = {}
        self.tries: list[tuple[date, str]] = []
        self.version = 1.0
        self.gone = self.stopped = self.no_entry = False
        self.contacts: set[tuple[date, int]] = set()
        self.consent: dict[float, Diary] = {}


class Question:
    def __init__(self) -> None:
        self.open = False
        self.diary = Diary()


class Study:
    def __init__(self, person: int) -> None:
        self.person = person
        self.state = "unread"
        self.diary = Diary()


class Oracle:
    """Knows the facts as they come, and says what is told when mails go."""

    def __init__(self, place: Place, facts: list[Fact]) -> None:
        self.place, self.facts = place, list(facts)
        self.days = STANDARD | dict(place.days)
        self.people: dict[int, Person] = {}
        self.questions: dict[int, Question] = {}
        self.studies: dict[tuple[int, str], Study] = {}
        self.versions: list[tuple[float, date]] = []
        self.planned: dict[date, datetime] = {}  # each day's moment

    def foretell(self, ticks: Iterator[datetime]) -> Iterator[tuple[date, Any, str]]:
        """(day, record, kind) of all that is told while recall runs at ``ticks``."""
        for tick in ticks:
            here = tick.astimezone(self.place.zone)
            if here.hour < self.place.hour or here.date() in self.planned:
                continue
            while self.facts and self.facts[0][0] <= tick:
                at, what, *about = self.facts.pop(0)
                getattr(self, f"on_{what}")(at.astimezone(self.place.zone).date(), *about)
            self.planned[here.date()] = tick
            for record, kind in self.tell(here.date()):
                yield here.date(), record, kind

    # -- what is told ----------------------------------------------------------------------------

    def tell(self, today: date) -> Iterator[tuple[Any, str]]:
        daily = today.weekday() in self.place.weekdays
        for number, person in self.people.items():
            if person.gone or person.stopped:
                continue
            for visit in person.visits.values():
                if visit.state == "expected":
                    diaries = [visit.site] if daily else []
                    for diary in [*diaries, visit.first, visit.second]:
                        if kind := diary.tear_off(today):
                            yield ("visit", number, visit.code), kind
            if daily and self.to_contact(person, today):
                yield ("person", number), "contact"
            if daily and self.to_sign(person, today):
                yield ("person", number), "consent"
        if not daily:
            return
        for number, question in self.questions.items():
            if question.open and (kind := question.diary.tear_off(today)):
                yield ("question", number), kind
        for which, study in self.studies.items():
            if study.state == "read" or self.people[study.person].no_entry:
                continue
            if kind := study.diary.tear_off(today):
                yield ("study", *which), kind

    def to_contact(self, person: Person, today: date) -> bool:
        closed = [v.closes for v in person.visits.values() if v.state == "expected"]
        closed = [day for day in closed if day < today]
        if not closed or not self.days["contact"]:
            return False
        last = max(closed)
        if any(v.attended_on and v.attended_on > last for v in person.visits.values()):
            return False
        tries = [(day, outcome) for day, outcome in person.tries if day > last]
        if len(tries) >= 3 or any(outcome != "not_reached" for _day, outcome in tries):
            return False
        after_window, after_try = self.days["contact"]
        due = last + after_window * DAY
        if tries:
            due = max(due, max(day for day, _outcome in tries) + after_try * DAY)
        if today < due or (last, len(tries)) in person.contacts:
            return False
        person.contacts.add((last, len(tries)))
        return True

    def to_sign(self, person: Person, today: date) -> bool:
        in_force = [(since, version) for version, since in self.versions if since <= today]
        followed = any(visit.state == "expected" for visit in person.visits.values())
        if not in_force or not followed:
            return False
        since, version = max(in_force)
        if person.version >= version:
            return False
        if version not in person.consent:
            person.consent[version] = Diary()
            leaves = [(since + days * DAY, "consent") for days in self.days["consent"]]
            person.consent[version].write(*leaves)
        return person.consent[version].tear_off(today) is not None

    # -- what happens ----------------------------------------------------------------------------

    def on_enrolled(self, today: date, person: int, enrolled: date) -> None:
        self.people[person] = Person()

    def on_planned(self, today: date, person: int, code: str, opens: date, closes: date) -> None:
        visit = self.people[person].visits[code] = Visit(code)
        self.write(visit, opens, closes)

    def write(self, visit: Visit, opens: date, closes: date) -> None:
        visit.opens, visit.closes = opens, closes
        stem, days = visit.code.split("-")[0], self.days
        leaves = [(opens, OPENING.get(stem, "open"))]
        if stem not in OPENING:
            leaves += [(opens - before * DAY, "coming_up") for before in days["coming_up"]]
        leaves += [(max(opens, closes - n * DAY), "closing") for n in days["closing"]]
        leaves += [(closes + after * DAY, "overdue") for after in days["overdue"]]
        visit.site.write(*leaves)
        visit.first.write(*((closes + n * DAY, "escalated") for n in days["escalated"]))
        visit.second.write(
            *((closes + n * DAY, "escalated_twice") for n in days["escalated_twice"])
        )

    def on_moved(self, today: date, person: int, code: str, by: timedelta) -> None:
        visit = self.people[person].visits[code]
        self.write(visit, visit.opens + by, visit.closes + by)

    def on_attended(self, today: date, person: int, code: str, day: date) -> None:
        visit = self.people[person].visits[code]
        visit.state, visit.attended_on = "attended", day

    def on_unscheduled(self, today: date, person: int, day: date) -> None:
        visit = self.people[person].visits[f"UNS {day}"] = Visit("UNS")
        visit.state, visit.attended_on = "attended", day

    def on_missed(self, today: date, person: int, code: str) -> None:
        self.people[person].visits[code].state = "missed"

    def on_expected_again(self, today: date, person: int, code: str) -> None:
        self.people[person].visits[code].state = "expected"

    def on_cancelled(self, today: date, person: int, code: str) -> None:
        self.people[person].visits[code].state = "cancelled"

    def on_snoozed(self, today: date, person: int, code: str, until: date) -> None:
        visit = self.people[person].visits[code]
        for diary in (visit.site, visit.first, visit.second):
            diary.hush(until)

    def on_tried(self, today: date, person: int, day: date, outcome: str) -> None:
        self.people[person].tries.append((day, outcome))

    def on_died(self, today: date, person: int) -> None:
        self.people[person].gone = True

    on_ended = on_died

    def on_withdrew(self, today: date, person: int, scope: str) -> None:
        self.people[person].gone |= scope != "stop_sharing"
        self.people[person].no_entry |= scope == "stop_collection"

    def on_stopped(self, today: date, person: int) -> None:
        self.people[person].stopped = True

    def on_lifted(self, today: date, person: int) -> None:
        self.people[person].stopped = False

    def on_version(self, today: date, code: str, since: date) -> None:
        self.versions.append((float(code), since))

    def on_signed(self, today: date, person: int, code: str) -> None:
        self.people[person].version = max(self.people[person].version, float(code))

    def on_asked(self, today: date, question: int, person: int) -> None:
        self.questions.setdefault(question, Question()).open = True
        leaves = [(today + days * DAY, "query") for days in self.days["query"]]
        self.questions[question].diary.write(*leaves)

    def on_answered(self, today: date, question: int) -> None:
        self.questions[question].open = False

    on_settled = on_answered

    def on_asked_again(self, today: date, question: int) -> None:
        self.on_asked(today, question, -1)

    def on_film(self, today: date, person: int, limb: str) -> None:
        study = self.studies.setdefault((person, limb), Study(person))
        if study.state == "unread":
            leaves = [(today + days * DAY, "film_unread") for days in self.days["film_unread"]]
            study.diary.write(*leaves)
        else:
            study.state = "read"

    def on_read(self, today: date, person: int, limb: str, quality: str) -> None:
        study = self.studies[person, limb]
        if quality == "unreadable":
            study.state = "sent back"
            leaves = [(today + n * DAY, "film_sent_back") for n in self.days["film_sent_back"]]
            study.diary.write(*leaves)
        else:
            study.state = "read"
