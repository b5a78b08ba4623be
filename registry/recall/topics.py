"""What recalls are about: where each kind's records are found, by which rule, and what is told.

A topic reads its candidates with one SQL statement each, as plain tuples: at a large site there
are many, and of most the rule says nothing. Lines are read only for what is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.apps import apps
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from registry.access.models import Site
from registry.core.dictionary import items_of
from registry.imaging.models import Film, Reading, Xray
from registry.participants.models import Consent, ConsentVersion, Participant
from registry.quality.models import DataQuery, QueryMessage
from registry.quality.rules import Owner
from registry.visits.models import Contact, Visit, participation_ended

from .kinds import Kind, Tuning
from .letter import Line
from .models import Recall
from .rules import Course, Expected, Missing, Waiting, of_missing, of_visit, of_waiting
from .snooze import RecallStop

CHUNK = 2000  # rows read at a time: memory stays flat


@dataclass(frozen=True)
class Candidate:
    """A record that may be told of: its key, the rule's facts, and the keys of what was told."""

    key: int
    facts: Any
    told: Collection[str]


@dataclass(frozen=True)
class Topic:
    """A kind of record, which ``label`` names in the ledger, and the ``kinds`` told of it.

    ``candidates``: site, until which day, its tuning, and the keys wanted or None → candidates.
    ``courses``: facts, tuning → the courses of occasions. ``lines``: key → facts, to key and line.
    """

    label: str
    kinds: frozenset[Kind]
    candidates: Callable[[Site, date, Tuning, Collection[int] | None], Iterator[Candidate]]
    courses: Callable[[Any, Tuning], Iterator[Course]]
    lines: Callable[[Mapping[int, Any]], Iterator[tuple[int, Line]]]
    # Whether the candidates until a day are those of every day before it too.
    looks_ahead: bool = True


def _told(label: str) -> ArraySubquery:
    """The keys of the occasions of a record that the ledger holds."""
    rows = Recall.objects.filter(site=OuterRef("site"), label=label, key=OuterRef("pk"))
    return ArraySubquery(rows.values(told=Concat("kind", Value(" "), "occurrence")))


def _read(
    rows: QuerySet[Any], label: str, keys: Collection[int] | None, *columns: str
) -> Iterator[tuple[Any, ...]]:
    """The rows as tuples: key, what was told, and the columns."""
    if keys is not None:
        rows = rows.filter(pk__in=keys)
    found = rows.annotate(told=_told(label)).order_by().values_list("pk", "told", *columns)
    return found.iterator(chunk_size=CHUNK)


def followed() -> QuerySet[Participant]:
    """The participants with whom contact and follow-up go on; contact ends with collection too."""
    going_on = Participant.objects.with_consent().filter(contact_stopped=False)
    return going_on.exclude(participation_ended("pk"))


def recalled() -> QuerySet[Participant]:
    """Those of whom a site wants to be recalled."""
    stops = RecallStop.objects.filter(participant=OuterRef("pk"), lifted_at__isnull=True)
    return followed().filter(~Exists(stops))


# -- visits ----------------------------------------------------------------------------------------

VISIT = Visit._meta.label_lower


def expected() -> QuerySet[Any]:
    """The visits that are still expected."""
    return Visit.objects.not_started().filter(Exists(recalled().filter(pk=OuterRef("participant"))))


def _visits(
    site: Site, until: date, tuning: Tuning, keys: Collection[int] | None
) -> Iterator[Candidate]:
    ahead = max(tuning.days(Kind.COMING_UP), default=0)
    rows = expected().filter(site=site, opens_on__lte=until + timedelta(days=ahead))
    for key, told, opens_on, closes_on, code in _read(
        rows, VISIT, keys, "opens_on", "closes_on", "code"
    ):
        yield Candidate(key, Expected(opens_on, closes_on, code.partition("-")[0]), told)


def _visit_lines(found: Mapping[int, Expected]) -> Iterator[tuple[int, Line]]:
    for visit in Visit.objects.filter(pk__in=found).select_related("participant"):
        what = visit.label
        if any(asked.form == "xray" for asked in visit.asked):
            what = gettext("%(visit)s, with X-ray") % {"visit": what}
        number, path = visit.participant.study_number, reverse("visit", args=[visit.pk])
        yield visit.pk, Line(number, what, visit.opens_on, visit.closes_on, path)


# -- participants: nobody reached, consent to renew ------------------------------------------------

PARTICIPANT = Participant._meta.label_lower
REACHED = ("reached", "declined")


def _missing(
    site: Site, until: date, tuning: Tuning, keys: Collection[int] | None
) -> Iterator[Candidate]:
    """Participants with a window that closed, and neither seen nor reached since."""
    if not tuning.days(Kind.CONTACT):
        return
    closed = Visit.objects.not_started().filter(participant=OuterRef("pk"), closes_on__lt=until)
    seen = Visit.objects.filter(participant=OuterRef("pk"), attended_on__gt=OuterRef("closed_on"))
    tried = Contact.objects.filter(
        entry__participant=OuterRef("pk"), attempted_on__gt=OuterRef("closed_on")
    ).order_by()
    together = tried.values("entry__participant")
    rows = (
        recalled()
        .filter(site=site)
        .annotate(closed_on=Subquery(closed.order_by("-closes_on").values("closes_on")[:1]))
        .filter(~Exists(seen), ~Exists(tried.filter(outcome__in=REACHED)), closed_on__isnull=False)
        .annotate(
            attempts=Subquery(together.values(n=Count("pk"))),
            last_attempt_on=Subquery(together.values(last=Max("attempted_on"))),
        )
    )
    for key, told, closed_on, attempts, last in _read(
        rows, PARTICIPANT, keys, "closed_on", "attempts", "last_attempt_on"
    ):
        yield Candidate(key, Missing(closed_on, attempts or 0, last), told)


def _missing_lines(found: Mapping[int, Missing]) -> Iterator[tuple[int, Line]]:
    for one in Participant.objects.filter(pk__in=found):
        what = gettext("attempt %(number)d") % {"number": found[one.pk].attempts + 1}
        path = reverse("log", args=[one.study_number, "contact"])
        yield one.pk, Line(one.study_number, what, found[one.pk].closed_on, None, path)


def _renewals(
    site: Site, until: date, tuning: Tuning, keys: Collection[int] | None
) -> Iterator[Candidate]:
    """Participants still followed who must sign before anything more is entered.

    As ``participants.rules.entry_refused_because`` has it.
    """
    versions = ConsentVersion.objects.filter(site=site, mandatory=True, in_force_from__lte=until)
    versions = versions.filter(Q(in_force_until=None) | Q(in_force_until__gte=until))
    newest = versions.aggregate(newest=Max("in_force_from"))["newest"]
    if newest is None or not tuning.days(Kind.CONSENT):
        return
    to_come = Visit.objects.not_started().filter(participant=OuterRef("pk"))
    signed = Consent.objects.filter(
        screening=OuterRef("screening"), version__in_force_from__gte=newest
    )
    rows = recalled().filter(Exists(to_come), ~Exists(signed), site=site)
    for key, told in _read(rows, PARTICIPANT, keys):
        yield Candidate(key, Waiting(Kind.CONSENT, newest), told)


def _renewal_lines(found: Mapping[int, Waiting]) -> Iterator[tuple[int, Line]]:
    for one in Participant.objects.filter(pk__in=found):
        path = reverse("participant", args=[one.study_number])
        line = Line(one.study_number, gettext("new version"), found[one.pk].since, None, path)
        yield one.pk, line


# -- questions -------------------------------------------------------------------------------------

QUERY = DataQuery._meta.label_lower


def _questions(
    site: Site, until: date, tuning: Tuning, keys: Collection[int] | None
) -> Iterator[Candidate]:
    """Questions that the site has to answer, since they were asked, or asked again, last."""
    if not tuning.days(Kind.QUERY):
        return
    asked = (QueryMessage.Act.ASKED, QueryMessage.Act.REOPENED)
    turns = QueryMessage.objects.filter(query=OuterRef("pk"), act__in=asked).order_by("-pk")
    rows = DataQuery.objects.filter(site=site).owned_by(Owner.SITE)
    rows = rows.annotate(asked_at=Coalesce(Subquery(turns.values("at")[:1]), "opened_at"))
    for key, told, asked_at in _read(rows, QUERY, keys, "asked_at"):
        since = timezone.localdate(asked_at, site.zone)
        yield Candidate(key, Waiting(Kind.QUERY, since), told)


def _question_lines(found: Mapping[int, Waiting]) -> Iterator[tuple[int, Line]]:
    """By form and item: a question's own words hold values."""
    about = Participant.objects.filter(pk=OuterRef("participant_no"))
    queries = DataQuery.objects.filter(pk__in=found)
    for query in queries.annotate(number=Subquery(about.values("study_number"))):
        model: Any = apps.get_model(query.label)
        declaration = getattr(model, "declaration", None)
        item = items_of(model).get(query.item)
        words = [declaration and declaration.label, item and item.label]
        what = ": ".join(str(word) for word in words if word)
        path = reverse("query", args=[query.pk])
        yield query.pk, Line(query.number or "", what, found[query.pk].since, None, path)


# -- films -----------------------------------------------------------------------------------------

XRAY = Xray._meta.label_lower


def _films(
    site: Site, until: date, tuning: Tuning, keys: Collection[int] | None
) -> Iterator[Candidate]:
    """Studies that nobody has read, and those that a reader found unreadable.

    Not of those from whom nothing more is collected: no reader may have their films.
    """
    films = Film.objects.filter(xray=OuterRef("pk"))
    readings = Reading.objects.filter(xray=OuterRef("pk"))
    last = readings.order_by("-at", "-pk")
    stopped = Participant.objects.with_consent().filter(
        pk=OuterRef("entry__participant"), collection_stopped=True
    )
    rows = (
        Xray.objects.filter(Exists(films), ~Exists(stopped), site=site, performed=True)
        .annotate(
            came_in=Subquery(films.order_by("-at").values("at")[:1]),
            read_at=Subquery(last.values("at")[:1]),
            quality=Subquery(last.values("quality")[:1]),
        )
        .filter(Q(quality=None) | Q(quality="unreadable"))
    )
    for key, told, came_in, read_at in _read(rows, XRAY, keys, "came_in", "read_at"):
        if read_at is None:
            kind, since = Kind.FILM_UNREAD, came_in
        elif came_in < read_at:  # no better film has come in since
            kind, since = Kind.FILM_SENT_BACK, read_at
        else:
            continue
        yield Candidate(key, Waiting(kind, timezone.localdate(since, site.zone)), told)


def _film_lines(found: Mapping[int, Waiting]) -> Iterator[tuple[int, Line]]:
    for xray in Xray.objects.filter(pk__in=found).select_related("entry__visit__participant"):
        visit, entry = xray.entry.visit, xray.entry
        what = f"{visit.label}, {entry.get_limb_display()}"
        path = reverse("films", args=[visit.pk, entry.limb])
        yield xray.pk, Line(visit.participant.study_number, what, found[xray.pk].since, None, path)


_VISIT_KINDS = frozenset(Kind) - {
    *(Kind.CONTACT, Kind.CONSENT, Kind.QUERY, Kind.FILM_UNREAD, Kind.FILM_SENT_BACK)
}
TOPICS = (
    Topic(VISIT, _VISIT_KINDS, _visits, of_visit, _visit_lines),
    Topic(
        PARTICIPANT,
        frozenset({Kind.CONTACT}),
        _missing,
        of_missing,
        _missing_lines,
        looks_ahead=False,  # a window that closes later takes the place of the one before
    ),
    Topic(PARTICIPANT, frozenset({Kind.CONSENT}), _renewals, of_waiting, _renewal_lines),
    Topic(QUERY, frozenset({Kind.QUERY}), _questions, of_waiting, _question_lines),
    Topic(
        XRAY,
        frozenset({Kind.FILM_UNREAD, Kind.FILM_SENT_BACK}),
        _films,
        of_waiting,
        _film_lines,
    ),
)


def records_of(participant: Participant) -> dict[str, list[int]]:
    """The keys of everything that may be recalled of a participant, by label."""
    found: dict[str, QuerySet[Any]] = {
        VISIT: Visit.objects.filter(participant=participant),
        QUERY: DataQuery.objects.filter(participant_no=participant.pk),
        XRAY: Xray.objects.filter(entry__participant=participant),
    }
    keys = {label: list(rows.values_list("pk", flat=True)) for label, rows in found.items()}
    return keys | {PARTICIPANT: [participant.pk]}
