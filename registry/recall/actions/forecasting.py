"""What will be told in the next days, by the same rules, if nothing changes until then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext

from registry.access.models import Site
from registry.participants.models import Participant

from ..kinds import ABOUT, URGENCY, Kind, Tuning
from ..letter import Line
from ..models import PlanningRun
from ..rules import holding
from ..topics import TOPICS, Topic, records_of
from ..tuning import tuning_of
from .planning import Found, kinds_today, snoozes_of

DAY = timedelta(days=1)
LOOK_AHEAD = timedelta(days=90)


@dataclass(frozen=True)
class Coming:
    """A recall to come: the site's day on which it is told, its kind and its line."""

    day: date
    kind: Kind
    label: str
    key: int
    line: Line

    @property
    def heading(self) -> str:
        return gettext(ABOUT[self.kind].heading)


def forecast(
    *, site: Site, now: datetime, days: int, of: Participant | None = None
) -> list[Coming]:
    """What the site will be told on the next ``days`` days that are not planned yet, in order.

    Of one participant only, where ``of`` names one. Call it in the scope of the site.
    """
    today = timezone.localdate(now, site.zone)
    if PlanningRun.objects.filter(site=site, day=today).exists():
        today += DAY
    span = [today + n * DAY for n in range(days)]
    found = list(_found(site, span, tuning_of(site), records_of(of) if of else None))
    lines: dict[tuple[Topic, int], Line] = {}
    for topic in TOPICS:
        facts = {one.key: one.facts for _day, one in found if one.topic is topic}
        lines |= {(topic, key): line for key, line in topic.lines(facts)} if facts else {}
    coming = [
        Coming(day, one.occasion.kind, one.topic.label, one.key, lines[one.topic, one.key])
        for day, one in found
    ]
    return sorted(coming, key=lambda one: (one.day, URGENCY[one.kind], one.line.study_number))


def _found(
    site: Site, span: list[date], tuning: Tuning, among: Mapping[str, Collection[int]] | None
) -> Iterator[tuple[date, Found]]:
    snoozed = snoozes_of(site)
    for topic in TOPICS:
        until = span[-1] if topic.looks_ahead else span[0]
        keys = among[topic.label] if among else None
        for one in topic.candidates(site, until, tuning, keys):
            told = set(one.told)
            snooze = snoozed.get((topic.label, one.key))
            for course in topic.courses(one.facts, tuning):
                for day in span:
                    held = holding(course, day, snooze)
                    if held and held.key not in told and held.kind in kinds_today(tuning, day):
                        told.add(held.key)
                        yield day, Found(topic, one.key, held, one.facts)


def line_of(site: Site, label: str, key: int) -> Line | None:
    """The line of a record that is recalled now or may be soon; None of any other."""
    tuning, today = tuning_of(site), site.today
    for topic in TOPICS:
        if topic.label == label:
            until = today + LOOK_AHEAD if topic.looks_ahead else today
            for one in topic.candidates(site, until, tuning, [key]):
                return dict(topic.lines({key: one.facts})).get(key)
    return None
