"""Writes of one visit: its appointment, its day, its absence, its further forms."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import User
from registry.access.scope import with_reason
from registry.core.dates import show_date
from registry.participants import actions as participants
from registry.participants.models import Participant

from .. import planning
from ..models import FormEntry, Visit
from .errors import VisitError
from .plan import add_numbered, plan_of, refresh_forms, settle


@transaction.atomic
def add_unscheduled_visit(
    *, by: User, participant: Participant, on: date, forms: Collection[str] = ()
) -> Visit:
    """A visit on any day, also between windows, attended on that day, with the forms chosen."""
    participants.require_entry(participant)
    _refuse_impossible_day(participant, on)
    participants.take_turns([participant.pk])
    visit = add_numbered(
        participant,
        "UNS",
        plan_version=plan_of(participant).version,
        target_on=on,
        opens_on=on,
        closes_on=on,
    )
    attend_visit(by=by, visit=visit, on=on)
    if forms:
        add_forms(by=by, visit=visit, forms=forms)
    return visit


@transaction.atomic
def add_forms(*, by: User, visit: Visit, forms: Collection[str]) -> None:
    """Ask further forms (codes) at a visit that takes place. Raises :class:`VisitError`."""
    participants.require_entry(visit.participant)
    claimed = _claim_visit(visit)
    _refuse_locked(claimed)
    if not claimed.attended_on:
        raise VisitError(_("Enter the visit's date first."))
    addable = [kind.code for kind in claimed.addable]
    if not forms or not set(forms) <= set(addable):
        raise VisitError(_("Choose forms that are not asked at this visit yet."), "forms")
    visit.added_forms = [*claimed.added_forms, *(code for code in addable if code in forms)]
    visit.save(update_fields=["added_forms"])
    settle(by=by, participant=visit.participant, since=claimed.attended_on)


@transaction.atomic
def book_visit(*, by: User, visit: Visit, at: datetime, place: str) -> None:
    """Make or move the appointment of a visit; its window and every other visit stay.

    An appointment outside the window is allowed. Raises :class:`VisitError`.
    """
    participants.require_entry(visit.participant)
    claimed = _claim_visit(visit)
    _refuse_settled(claimed)
    if timezone.localdate(at, visit.participant.site.zone) < visit.participant.site.today:
        raise VisitError(
            _("The appointment lies in the past. If the visit took place, enter its date."), "day"
        )
    if len(place) > 120:
        raise VisitError(_("Name the place in at most 120 letters."), "place")
    visit.booked_at, visit.booked_place = at, place.strip()
    visit.save(update_fields=["booked_at", "booked_place"])


@transaction.atomic
def cancel_booking(*, by: User, visit: Visit) -> None:
    """Give up the appointment; the visit stays to be done."""
    participants.require_entry(visit.participant)
    _refuse_settled(_claim_visit(visit))
    visit.booked_at, visit.booked_place = None, ""
    visit.save(update_fields=["booked_at", "booked_place"])


@transaction.atomic
def attend_visit(*, by: User, visit: Visit, on: date) -> None:
    """Record that the participant came on the day ``on``, also to a visit recorded as missed.

    The appointment stays as it was made. Raises :class:`VisitError`.
    """
    participants.require_entry(visit.participant)
    claimed = _claim_visit(visit)
    if claimed.attended_on:
        raise VisitError(
            _("The visit was attended on %(day)s already: correct that date, with a reason.")
            % {"day": show_date(claimed.attended_on)}
        )
    if claimed.cancelled_on:
        raise VisitError(_("The visit was cancelled: add an unscheduled visit instead."))
    _refuse_impossible_day(visit.participant, on)
    visit.attended_on, visit.missed_because, visit.missed_on = on, "", None
    visit.save(update_fields=["attended_on", "missed_because", "missed_on"])
    settle(by=by, participant=visit.participant, since=on)


@transaction.atomic
def correct_attendance(*, by: User, visit: Visit, on: date, reason: str) -> None:
    """Correct the day on which the participant came, with a reason for the history."""
    participants.require_entry(visit.participant)
    before = _claim_visit(visit).attended_on
    if before is None:
        raise VisitError(_("The visit has not taken place yet."))
    if not reason.strip():
        raise VisitError(_("Say why the date is corrected."), "reason")
    _refuse_locked(visit)
    _refuse_impossible_day(visit.participant, on)
    visit.attended_on = on
    if visit.code.startswith("UNS-"):  # it has no other day than the one attended
        visit.target_on = visit.opens_on = visit.closes_on = on
    with with_reason(reason.strip()):
        visit.save(update_fields=["attended_on", "target_on", "opens_on", "closes_on"])
        planning.visit_moved(visit, before)
    settle(by=by, participant=visit.participant, since=min(on, before))


@transaction.atomic
def record_as_unscheduled(*, by: User, visit: Visit) -> Visit:
    """Turn an attendance into an unscheduled visit that asks the same forms.

    The visit of the plan is open again. Refused once one of its forms was begun.
    """
    participants.require_entry(visit.participant)
    on = _claim_visit(visit).attended_on
    if on is None:
        raise VisitError(_("The visit has not taken place yet."))
    if visit.entries.filter(FormEntry.begun()).exists():
        raise VisitError(_("A form of this visit was begun: it stays the visit it is."))
    asked = {one.form for one in visit.asked}
    visit.attended_on = None
    visit.save(update_fields=["attended_on"])
    refresh_forms([visit])
    unscheduled = add_unscheduled_visit(by=by, participant=visit.participant, on=on)
    forms = [kind.code for kind in unscheduled.addable if kind.code in asked]
    if forms:
        add_forms(by=by, visit=unscheduled, forms=forms)
    return unscheduled


@transaction.atomic
def miss_visit(*, by: User, visit: Visit, because: str) -> None:
    """Record that a visit will not take place, and why."""
    claimed = _claim_visit(visit)
    if claimed.attended_on:
        raise VisitError(_("The visit was attended: it cannot be missed."))
    if claimed.cancelled_on:
        raise VisitError(_("The visit was cancelled: nobody expects it."))
    if not (because := because.strip()):
        raise VisitError(_("Say why the visit was missed."), "because")
    if len(because) > 200:
        raise VisitError(_("At most %(count)s characters.") % {"count": 200}, "because")
    visit.missed_because, visit.missed_on = because, visit.participant.site.today
    visit.save(update_fields=["missed_because", "missed_on"])
    settle(by=by, participant=visit.participant, since=None)


@transaction.atomic
def take_back_missed(*, by: User, visit: Visit, reason: str) -> None:
    """Expect a visit again that was recorded as missed, with a reason for the history."""
    participants.require_entry(visit.participant)
    if not _claim_visit(visit).missed_because:
        raise VisitError(_("The visit is not recorded as missed."))
    if not reason.strip():
        raise VisitError(_("Say why the visit is expected again."), "reason")
    visit.missed_because, visit.missed_on = "", None
    with with_reason(reason.strip()):
        visit.save(update_fields=["missed_because", "missed_on"])
    settle(by=by, participant=visit.participant, since=None)


def _claim_visit(visit: Visit) -> Visit:
    """The visit as it is now, its row locked against others who change it, in its turn."""
    participants.take_turns([visit.participant_id])
    return (
        Visit.objects.select_related("participant__site")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=visit.pk)
    )


def _refuse_locked(visit: Visit) -> None:
    if visit.entries.filter(locked_at__isnull=False).exists():
        raise VisitError(_("This visit is locked. Ask the data manager to unlock it."))


def _refuse_settled(visit: Visit) -> None:
    """An appointment belongs to a visit that is to come."""
    if visit.attended_on:
        raise VisitError(_("The visit has taken place: its appointment stays as it was."))
    if visit.missed_because:
        raise VisitError(_("The visit is recorded as missed: take that back first."))
    if visit.cancelled_on:
        raise VisitError(_("The visit was cancelled: nobody expects it."))


def _refuse_impossible_day(participant: Participant, on: date) -> None:
    """Nobody comes in the future, before consent or before enrolment."""
    if on > participant.site.today:
        raise VisitError(_("The visit's date lies in the future."))
    signed_on = participant.screening.consents.aggregate(first=Min("signed_on"))["first"]
    if on < signed_on:
        raise VisitError(
            _("The visit's date lies before the consent (%(day)s).") % {"day": show_date(signed_on)}
        )
    if on < participant.enrolled_on - timedelta(days=1):
        raise VisitError(_("The visit's date lies before enrolment."))
