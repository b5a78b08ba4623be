"""Findings become data queries, mended data close them, and people ask, answer and close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from registry.access.models import SiteRecord, User
from registry.access.roles import Permission
from registry.core.errors import RefusedError

from .checks import Located, Place, findings_of, keep_up
from .models import DataQuery, Firing, QueryMessage
from .rules import MOVES, Act, possible

LONGEST = 2000  # characters of a message
TURN_OF = {
    Act.ANSWER: QueryMessage.Act.ANSWERED,
    Act.CLOSE: QueryMessage.Act.CLOSED,
    Act.REOPEN: QueryMessage.Act.REOPENED,
}


class QueryError(RefusedError):
    """A data query cannot be written; the message says why."""


# -- rules ---------------------------------------------------------------------------------------


def recheck(*, by: User, site_id: int, participant_no: int) -> None:
    """Run every check over one participant, as after each save."""
    recheck_many(by=by, site_id=site_id, participants=[participant_no])


@transaction.atomic
def recheck_many(*, by: User, site_id: int, participants: Sequence[int]) -> None:
    """Run every check over participants of one site; doing it twice changes nothing.

    Opens what is new, asks again what broke again, closes what is mended, and counts each
    finding for its rule. Findings are worded in the study's language, whoever saved: they are
    compared from one night to the next, and read by people of every language.
    """
    _take_turns(participants)
    for participant_no in participants:
        keep_up(participant_no)
    with translation.override(settings.LANGUAGE_CODE):
        found = findings_of(participants)
        _settle_queries(by, site_id, participants, found)
    _count(site_id, participants, found)


def _take_turns(participants: Sequence[int]) -> None:
    """Two savers of one participant check one after the other, so that none asks twice."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('recheck'), no) FROM unnest(%s::int[]) AS no",
            [sorted(participants)],
        )


def _settle_queries(
    by: User,
    site_id: int,
    participants: Sequence[int],
    found: Mapping[Place, tuple[int, Located]],
) -> None:
    now = timezone.now()
    broken = {place: pair for place, pair in found.items() if not pair[1].settled}
    of_rules = DataQuery.objects.filter(participant_no__in=participants).exclude(rule="")
    known = {(one.label, one.key, one.item, one.rule): one for one in of_rules}
    turns: list[QueryMessage] = []

    def turn(query: DataQuery, act: str, text: str = "") -> None:
        turns.append(QueryMessage(query=query, act=act, text=text, by=by, by_rule=True, at=now))

    new = [
        DataQuery(
            site_id=site_id,
            participant_no=participant_no,
            label=one.label,
            key=one.key,
            item=one.item,
            rule=one.rule,
            message=one.message,
            audience=one.audience,
            opened_by=by,
            opened_at=now,
        )
        for place, (participant_no, one) in broken.items()
        if place not in known
    ]
    for query in DataQuery.objects.bulk_create(new):
        turn(query, QueryMessage.Act.ASKED, query.message)
    for place, query in known.items():
        is_open = query.state != DataQuery.State.CLOSED
        if place not in broken:
            if is_open:
                query.state, query.closed_by, query.closed_at = DataQuery.State.CLOSED, by, now
                query.save(update_fields=["state", "closed_by", "closed_at"])
                turn(query, QueryMessage.Act.CLOSED, _("The data are mended."))
            continue
        message = broken[place][1].message
        # What is asked already, or was accepted as right and has not changed since, stays.
        if message == (query.message if is_open else query.settled):
            continue
        if not is_open:
            query.opened_at = now
        query.message, query.settled, query.state = message, "", DataQuery.State.NEW
        query.closed_by = query.closed_at = None
        query.save()
        turn(query, QueryMessage.Act.REOPENED, message)
    QueryMessage.objects.bulk_create(turns)


def _count(
    site_id: int, participants: Sequence[int], found: Mapping[Place, tuple[int, Located]]
) -> None:
    """Keep a firing for each finding, open until it is mended or somebody says it is right."""
    last: dict[Place, Firing] = {}
    for firing in Firing.objects.filter(participant_no__in=participants).order_by("pk"):
        last[firing.label, firing.key, firing.item, firing.rule] = firing
    outcome = Firing.Outcome
    new = []
    for place, (participant_no, one) in found.items():
        before = last.get(place)
        if before and before.outcome == outcome.OPEN:
            if one.settled:
                Firing.objects.filter(pk=before.pk).update(
                    outcome=outcome.SETTLED, about=one.message
                )
        elif not (before and before.outcome == outcome.SETTLED and before.about == one.message):
            new.append(
                Firing(
                    site_id=site_id,
                    participant_no=participant_no,
                    label=one.label,
                    key=one.key,
                    item=one.item,
                    rule=one.rule,
                    about=one.message,
                    outcome=outcome.SETTLED if one.settled else outcome.OPEN,
                )
            )
    Firing.objects.bulk_create(new)
    mended = [
        firing.pk
        for place, firing in last.items()
        if place not in found and firing.outcome == outcome.OPEN
    ]
    if mended:
        Firing.objects.filter(pk__in=mended).update(outcome=outcome.MENDED)


# -- people --------------------------------------------------------------------------------------


@transaction.atomic
def raise_query(
    *, by: User, record: SiteRecord, participant_no: int, item: str, text: str
) -> DataQuery:
    """Ask about one item of a record (``item`` "": about the record). Raises :class:`QueryError`.

    Whether ``by`` may is asked before; it also says who has to read the answer.
    """
    text = _said(text, _("Write what you want to know."))
    manager = by.may(Permission.MANAGE_DATA, record.site_id)
    query = DataQuery.objects.create(
        site_id=record.site_id,
        participant_no=participant_no,
        label=record._meta.label_lower,
        key=record.pk,
        item=item,
        message=text,
        source=DataQuery.Source.DATA_MANAGER if manager else DataQuery.Source.MONITOR,
        opened_by=by,
    )
    QueryMessage.objects.create(query=query, act=QueryMessage.Act.ASKED, text=text, by=by)
    return query


@transaction.atomic
def act_on(*, by: User, query: DataQuery, act: Act, text: str = "") -> DataQuery:
    """Answer, close or re-open a query. Raises :class:`QueryError`.

    An answer and a re-opening need words. Closing a rule's query accepts its finding as right:
    it stays closed until the rule finds something else.
    """
    query = DataQuery.objects.select_for_update().get(pk=query.pk)
    if not possible(act, query.state, mended=query.mended):
        raise QueryError(
            _("The query is %(state)s by now: read on before you go on.")
            % {"state": query.get_state_display().lower()}
        )
    if not query.may(by, act):
        raise QueryError(_("This query is not yours to close or to re-open."))
    if act == Act.CLOSE:
        text = _fitting(text)
        query.closed_by, query.closed_at = by, timezone.now()
        query.settled = query.message if query.rule else ""
        if query.rule:
            _firings_of(query).filter(outcome=Firing.Outcome.OPEN).update(
                outcome=Firing.Outcome.SETTLED, about=query.message
            )
    else:
        text = _said(text, _("Write your answer.") if act == Act.ANSWER else _("Say why."))
    if act == Act.REOPEN:
        if query.state == DataQuery.State.CLOSED:
            query.opened_at = timezone.now()
            _firings_of(query).filter(outcome=Firing.Outcome.SETTLED, about=query.settled).update(
                outcome=Firing.Outcome.OPEN
            )
        query.closed_by, query.closed_at, query.settled = None, None, ""
    query.state = MOVES[act].after
    query.save()
    QueryMessage.objects.create(query=query, act=TURN_OF[act], text=text, by=by)
    return query


def _firings_of(query: DataQuery) -> QuerySet[Firing]:
    return Firing.objects.filter(label=query.label, key=query.key, item=query.item, rule=query.rule)


def _said(text: str, otherwise: str) -> str:
    if not (text := _fitting(text)):
        raise QueryError(otherwise, "text")
    return text


def _fitting(text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST:
        raise QueryError(_("At most %(count)s characters.") % {"count": LONGEST}, "text")
    return text
