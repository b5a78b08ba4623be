"""Writes of ulcers; their assessments are saved through ``visits.actions.save_form``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason
from registry.core.dates import show_date, span
from registry.participants.actions import require_entry, take_turns
from registry.participants.models import Participant
from registry.visits.actions import settle
from registry.visits.models import Visit

from .assessment import UlcerError
from .ulcer import Ulcer

CORRECTABLE = ("location", "onset_on", "ulcer_cause")


@transaction.atomic
def add_ulcer(
    *, by: User, participant: Participant, limb: str, visit: Visit, values: Mapping[str, Any]
) -> Ulcer:
    """Record an ulcer first seen at ``visit``, under the leg's next label.

    ``values`` are ``location``, ``onset_on`` and ``ulcer_cause``, already judged. The visit and
    the later ones gain a column in their ``ulcers`` form. Raises :class:`UlcerError`.
    """
    require_entry(participant)
    if limb not in ("right", "left"):
        raise UlcerError(_("Say which leg."), "limb")
    if visit.participant_id != participant.pk:
        raise UlcerError(_("The visit is another participant's."))
    if visit.attended_on is None:
        raise UlcerError(_("Enter the visit's date first."))
    if "ulcers" not in {asked.form for asked in visit.asked}:
        raise UlcerError(_("No ulcers are followed in this arm."))
    if visit.entries.filter(locked_at__isnull=False).exists():
        raise UlcerError(_("This visit is locked. Ask the data manager to unlock it."))
    ulcer = Ulcer(
        participant=participant, limb=limb, recorded_on=visit.attended_on, by=by, **values
    )
    _refuse_impossible_onset(ulcer, seen_on=visit.attended_on)
    # Two users who add an ulcer at the same time wait here for each other.
    take_turns([participant.pk])
    given = Ulcer.objects.filter(participant=participant, limb=limb)
    numbers = [int(label[1:]) for label in given.values_list("label", flat=True)]
    ulcer.label = f"{limb[0].upper()}{max(numbers, default=0) + 1}"
    ulcer.save()
    settle(by=by, participant=participant, since=visit.attended_on)
    return ulcer


@transaction.atomic
def correct_ulcer(*, by: User, ulcer: Ulcer, values: Mapping[str, Any], reason: str) -> None:
    """Correct what was recorded of an ulcer, with a reason for the history.

    The leg and the label stay, and the day of recording, which is its visit's. Raises
    :class:`UlcerError`.
    """
    require_entry(ulcer.participant)
    if not reason.strip():
        raise UlcerError(_("Say why the ulcer is corrected."), "reason")
    take_turns([ulcer.participant_id])
    ulcer = Ulcer.objects.select_for_update(of=("self",)).with_assessments().get(pk=ulcer.pk)
    for name in CORRECTABLE:
        setattr(ulcer, name, values[name])
    seen_on = min([ulcer.recorded_on, *(one.assessed_on for one in ulcer.assessed)])
    _refuse_impossible_onset(ulcer, seen_on=seen_on)
    with with_reason(reason.strip()):
        ulcer.save(update_fields=CORRECTABLE)
    settle(by=by, participant=ulcer.participant, since=None)


def _refuse_impossible_onset(ulcer: Ulcer, *, seen_on: date) -> None:
    """A partial onset is refused only when every day it may mean is impossible."""
    onset = span(ulcer.onset_on)
    if onset.first > seen_on:
        raise UlcerError(
            _("The onset lies after the ulcer was first seen (%(day)s).")
            % {"day": show_date(seen_on)},
            "onset_on",
        )
    if onset.last.year < ulcer.participant.earliest_birth_year:
        raise UlcerError(_("The onset lies before the participant's birth."), "onset_on")
