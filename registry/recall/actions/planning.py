"""Planning a site's recalls. Doing it twice changes nothing.

One transaction: the planning row, the ledger, the digests and their deliveries stand together or
not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from registry.access.models import Membership, Site, User
from registry.access.roles import Role
from registry.access.scope import scope

from ..envelope import host
from ..kinds import ESCALATIONS, Kind, Tuning
from ..models import Delivery, Digest, PlanningRun, Recall
from ..rules import Occasion, due, sending_moment
from ..signed import seal
from ..snooze import Snooze
from ..topics import TOPICS, Topic
from ..tuning import tuning_of
from .reach import paused_at, reachable

BATCH = 1000  # ledger rows written at a time


@contextmanager
def at_site(site: Site, by: User) -> Iterator[None]:
    """The scope and the clock of the one site."""
    with timezone.override(site.zone), scope(by, [site.pk]):
        yield


@dataclass(frozen=True)
class Found:
    """An occasion to tell, of the record ``key`` of a topic, with the facts it rests on."""

    topic: Topic
    key: int
    occasion: Occasion
    facts: Any


def plan(*, by: User, site: Site, now: datetime, at_once: bool = False) -> PlanningRun | None:
    """Plan the site's day, once its clock has passed its sending hour (or ``at_once``).

    Writes the day's planning row, a ledger row for each occasion due, the digests, and a delivery
    for each recipient. Returns None when it is too early or the day is planned already. What has
    no recipient is not told, and so stays due until there is one.
    """
    today = timezone.localdate(now, site.zone)
    if not at_once and now < sending_moment(today, site.sending_hour, site.zone):
        return None
    with at_site(site, by):
        if PlanningRun.objects.filter(site=site, day=today).exists():
            return None
        try:
            with transaction.atomic():
                # Waits for another planner of the same day, and gives way when that one is done.
                run = PlanningRun.objects.create(site=site, day=today, due=0)
        except IntegrityError:
            return None
        tuning = tuning_of(site)
        recipients = recipients_of(site)
        run.due = _write(site, today, tuning, recipients)
        run.save(update_fields=["due"])
        return run


def _write(site: Site, today: date, tuning: Tuning, recipients: dict[User, set[Role]]) -> int:
    """Take what is due into the ledger and its digests; how many occasions are due."""
    paused = paused_at(site)
    audience = {
        kind: {
            user
            for user, roles in recipients.items()
            if roles & set(setting.roles)
            and not (user.pk in paused and mail_of(kind) == Digest.Kind.DAILY)
        }
        for kind, setting in tuning.settings.items()
    }
    digests: dict[str, Digest] = {}
    to: dict[str, set[User]] = {}
    count = 0
    due_today = find_due(site, today, tuning, kinds_today(tuning, today))
    while some := list(islice(due_today, BATCH)):
        count += len(some)
        rows = []
        for found in some:
            if not audience[found.occasion.kind]:
                continue
            kind = mail_of(found.occasion.kind)
            if kind not in digests:
                digests[kind] = Digest.objects.create(site=site, day=today, kind=kind)
            to.setdefault(kind, set()).update(audience[found.occasion.kind])
            rows.append(
                Recall(
                    digest=digests[kind],
                    label=found.topic.label,
                    key=found.key,
                    kind=found.occasion.kind,
                    occurrence=found.occasion.occurrence,
                )
            )
        Recall.objects.bulk_create(rows, ignore_conflicts=True)
    for kind, users in to.items():
        deliver(digests[kind], users)
    return count


def mail_of(kind: Kind) -> str:
    """The mail in which a kind is told: the daily one, or one of its own."""
    return Digest.Kind.ESCALATION if kind in ESCALATIONS else Digest.Kind.DAILY


def kinds_today(tuning: Tuning, today: date) -> Collection[Kind]:
    """The kinds that may be told on a day: on one without a daily mail escalations only."""
    return tuple(Kind) if today.weekday() in tuning.weekdays else ESCALATIONS


def find_due(site: Site, today: date, tuning: Tuning, kinds: Collection[Kind]) -> Iterator[Found]:
    """What is to be told on the site's ``today``; each topic's candidates are one statement."""
    snoozed = snoozes_of(site)
    for topic in TOPICS:
        if not topic.kinds.intersection(kinds):
            continue
        for one in topic.candidates(site, today, tuning, None):
            until = snoozed.get((topic.label, one.key))
            for occasion in due(topic.courses(one.facts, tuning), today, one.told, until):
                if occasion.kind in kinds:
                    yield Found(topic, one.key, occasion, one.facts)


def snoozes_of(site: Site) -> dict[tuple[str, int], date]:
    """Label and key → the day until which the record is snoozed, or was."""
    rows = Snooze.objects.filter(site=site).order_by("pk").values_list("label", "key", "until")
    return {(label, key): until for label, key, until in rows}


def recipients_of(site: Site) -> dict[User, set[Role]]:
    """Who may be told of the site, and in which roles: active, at the site or central.

    Not who gets no mail at all, since too much of it came back.
    """
    found: dict[User, set[Role]] = {}
    memberships = Membership.objects.filter(user__in=reachable(User.objects.all()))
    for one in (memberships.filter(site=site) | memberships.filter(site=None)).select_related(
        "user"
    ):
        found.setdefault(one.user, set()).add(Role(one.role))
    return found


def deliver(
    digest: Digest, users: Iterable[User], *, number: int = 1, because: str = ""
) -> list[Delivery]:
    """A delivery of the digest to each of ``users``."""
    return Delivery.objects.bulk_create(
        Delivery(
            digest=digest,
            recipient=user,
            address=user.email,
            number=number,
            because=because,
            message_id=_message_id(digest, user, number),
            not_before=timezone.now(),
        )
        for user in sorted(users, key=lambda user: user.pk)
    )


def _message_id(digest: Digest, user: User, number: int) -> str:
    """Derived from the delivery's key; the seal keeps strangers from naming it in a bounce."""
    about = f".{digest.about}" if digest.about else ""
    again = f".{number}" if number > 1 else ""
    name = f"recall.{digest.kind}.{digest.day}.{digest.site.prefix}{about}.{user.pk}{again}"
    return f"<{name}.{seal(name)}@{host()}>"
