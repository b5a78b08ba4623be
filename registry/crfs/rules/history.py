"""The history of participant and leg against what other records say (``forms.md``, history)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from registry.core.dates import Span, show_date
from registry.core.findings import Finding, Level


@dataclass(frozen=True)
class LegBefore:
    """What was told of a leg, and what the records hold of it.

    ``dvt_on`` is the day of the first DVT among the events, ``told_on`` that of the history;
    ``ulcer_label`` an ulcer recorded here that surely had begun by then.
    """

    told_on: date | None
    previous_ulcer: bool | None
    previous_dvt: bool | None
    past_ulcers: int = 0
    ulcer_label: str = ""
    dvt_on: date | None = None
    villalta_at: str = ""


def contradictions(leg: LegBefore) -> Iterator[Finding]:
    """Previous ulcer ⇔ a row among the past ulcers, or an ulcer open then; DVT likewise.

    An ulcer that is open at the history is no contradiction to a "no": it may be the first.
    """
    if leg.previous_ulcer and not leg.past_ulcers and not leg.ulcer_label:
        yield _at(
            "previous_ulcer",
            _("A previous ulcer of this leg, but none is recorded: add it to the past ulcers."),
            "previous_ulcer_not_recorded",
        )
    if leg.previous_ulcer is False and leg.past_ulcers:
        yield _at(
            "previous_ulcer",
            _("No previous ulcer of this leg, but the past ulcers hold %(count)s of it.")
            % {"count": leg.past_ulcers},
            "previous_ulcer_denied",
        )
    if leg.previous_dvt is False and leg.dvt_on and leg.told_on and leg.dvt_on < leg.told_on:
        yield _at(
            "previous_dvt",
            _("No previous DVT of this leg, but the events hold one on %(day)s.")
            % {"day": show_date(leg.dvt_on)},
            "previous_dvt_denied",
        )
    if leg.previous_dvt is False and not leg.dvt_on and leg.villalta_at:
        yield _at(
            "previous_dvt",
            _("No DVT of this leg in history or events, but a Villalta score at %(visit)s.")
            % {"visit": leg.villalta_at},
            "villalta_without_dvt",
        )


def dialysis_contradictions(
    told_on: date | None, dialysis: bool | None, dialysis_started: Span | None
) -> Iterator[Finding]:
    """The history denies dialysis, and the treatment log holds one that surely ran before."""
    if dialysis is False and told_on and dialysis_started and dialysis_started.last < told_on:
        yield _at(
            "dialysis",
            _("No dialysis, but the treatment log holds one since %(day)s.")
            % {"day": show_date(dialysis_started.last)},
            "dialysis_denied",
        )


def _at(item: str, message: str, rule: str) -> Finding:
    return Finding(Level.INCONSISTENT, item, message, rule)
