"""Paper forms against one another and against ulcers, films and events.

Each rule is a pure function of :mod:`.rules`; here the facts are fetched, once a participant,
and the findings placed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from registry.core.dates import span
from registry.core.dictionary import items_of
from registry.core.findings import Finding, Level
from registry.quality import checks as quality
from registry.quality.checks import Located
from registry.ulcers import rules as ulcer_rules
from registry.ulcers.models import PastUlcer
from registry.visits.checks import located
from registry.visits.crf import FORMS, Crf
from registry.visits.models import Event

from .calcinosis import Calcinosis
from .ceap import Ceap
from .history import History
from .laboratory import Laboratory
from .leg_facts import calcinosis_evidence, leg_records
from .leg_history import LegHistory
from .log_review import LogReview
from .records import Records
from .rules import calcinosis as calcinosis_rules
from .rules import ceap as ceap_rules
from .rules import history as history_rules
from .rules import laboratory as laboratory_rules
from .rules import logs as log_rules
from .treatment import Treatment
from .vcss import ULCER_SCORES, Vcss
from .villalta import Villalta

Placed = Iterator[tuple[Crf, Finding]]


@quality.register
def forms_agree(participant_no: int) -> Iterator[Located]:
    """Every cross-check of this room over one participant."""
    records = Records(participant_no)
    for check in CHECKS:
        for record, finding in check(records):
            yield located(record, finding)


def ceap_agrees(records: Records) -> Placed:
    """The class against ulcers, treatments and the class before."""
    for ceap in records.of(Ceap):
        if ceap.clinical:
            for finding in ceap_rules.contradictions(ceap.clinical, leg_records(records, ceap)):
                yield ceap, finding


def vcss_agrees(records: Records) -> Placed:
    """An ulcer score that differs from the ulcer records needs a comment (forms.md, vcss)."""
    items = items_of(Vcss)
    for vcss in records.of(Vcss):
        if vcss.ulcer_comment:
            continue
        recorded = ulcer_rules.vcss_scores(records.ulcers_of(vcss.entry.limb), vcss.done_on)
        for name in ULCER_SCORES:
            entered, known = getattr(vcss, name), recorded[name]
            if None not in (entered, known) and entered != known:
                message = _(
                    "%(item)s is entered as %(entered)s, but the ulcer records say"
                    " %(known)s: correct one of them, or comment."
                )
                words = {"item": items[name].label, "entered": entered, "known": known}
                yield (
                    vcss,
                    Finding(Level.INCONSISTENT, name, message % words, "ulcer_records_differ"),
                )


def calcium_is_plausible(records: Records) -> Placed:
    """The corrected calcium against its expected range."""
    expected = items_of(Laboratory)["calcium_corrected"].expected
    assert expected
    for laboratory in records.of(Laboratory):
        for finding in laboratory_rules.contradictions(
            laboratory.calcium_corrected,
            expected,
            ("calcium_total", "albumin"),
            laboratory.confirmed,
        ):
            yield laboratory, finding


def calcinosis_agrees(records: Records) -> Placed:
    """The type that stands against what the records propose since."""
    for calcinosis in records.of(Calcinosis):
        evidence = calcinosis_evidence(
            records, calcinosis.entry.limb, calcinosis.entry.visit.attended_on
        )
        for finding in calcinosis_rules.contradictions(
            kept=calcinosis.proposed,
            now=calcinosis_rules.proposed(evidence),
            final=calcinosis.calcinosis_type,
        ):
            yield calcinosis, finding


def history_agrees(records: Records) -> Placed:
    """The history of each leg, and dialysis, against ulcers, events and treatments."""
    events = [event.happened for event in records.of(Event) if event.kind and event.occurred_on]
    for told in records.of(LegHistory):
        limb = told.entry.limb
        begun = [ulcer for ulcer in records.ulcers_of(limb) if ulcer.onset.last <= told.done_on]
        scores = records.of(Villalta, limb)
        thromboses = [one.on for one in events if one.kind == "dvt" and one.limb in (limb, "")]
        leg = history_rules.LegBefore(
            told_on=told.done_on,
            previous_ulcer=told.previous_ulcer,
            previous_dvt=told.previous_dvt,
            past_ulcers=len(records.rows(PastUlcer, limb)),
            ulcer_label=begun[0].label if begun else "",
            dvt_on=min(thromboses, default=None),
            villalta_at=scores[0].where if scores else "",
        )
        for finding in history_rules.contradictions(leg):
            yield told, finding
    starts = [
        span(row.started_on)
        for row in records.of(Treatment)
        if row.kind == "dialysis" and row.started_on
    ]
    for history in records.of(History):
        for finding in history_rules.dialysis_contradictions(
            history.done_on, history.dialysis, min(starts, key=lambda one: one.last, default=None)
        ):
            yield history, finding


def reviews_agree(records: Records) -> Placed:
    """The reviews of the logs against the rows entered since the review before."""
    before: dict[str, Any] = {}
    items = items_of(LogReview)
    for review in records.of(LogReview):
        for log, item in items.items():
            if log not in FORMS or (answer := getattr(review, log)) is None:
                continue
            entered = [row.done_on for row in records.of(FORMS[log].model)]
            found = log_rules.contradictions(
                log, item.label, answer, entered, before.get(log), review.done_on
            )
            before[log] = review.done_on
            for finding in found:
                yield review, finding


CHECKS: tuple[Callable[[Records], Iterable[tuple[Crf, Finding]]], ...] = (
    ceap_agrees,
    vcss_agrees,
    calcium_is_plausible,
    calcinosis_agrees,
    history_agrees,
    reviews_agree,
)
