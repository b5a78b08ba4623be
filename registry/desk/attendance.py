"""What happens to a visit as a whole: its appointment, its day, its absence, further forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dates import read_time
from registry.core.errors import RefusedError
from registry.core.numbers import UnreadableError
from registry.participants.guard import check_page
from registry.visits import actions
from registry.visits.forms import form_of
from registry.visits.models import Visit

from .visit import bound_sections, show_visit, visible_visit

Write = Callable[[Visit, Mapping[str, Any]], object]


@needs(Permission.ENTER)
def attend(request: UserRequest, pk: int) -> HttpResponse:
    """Record the day on which the participant came."""

    def write(visit: Visit, values: Mapping[str, Any]) -> None:
        actions.attend_visit(by=request.user, visit=visit, on=values["visit_on"])

    return _change(request, pk, "attend", write)


@needs(Permission.ENTER)
def correct_attendance(request: UserRequest, pk: int) -> HttpResponse:
    """Correct that day, with a reason."""

    def write(visit: Visit, values: Mapping[str, Any]) -> None:
        actions.correct_attendance(
            by=request.user, visit=visit, on=values["visit_on"], reason=values["reason"]
        )

    return _change(request, pk, "correct", write, _("The visit's date is corrected."))


@needs(Permission.ENTER)
def record_as_unscheduled(request: UserRequest, pk: int) -> HttpResponse:
    """Make an attendance outside the window an unscheduled visit."""
    found = visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    check_page(request, found.participant)
    try:
        unscheduled = actions.record_as_unscheduled(by=request.user, visit=found)
    except RefusedError as refused:
        messages.warning(request, str(refused))
        return redirect("visit", pk)
    messages.success(
        request,
        _("Recorded as %(unscheduled)s; %(visit)s is still to come.")
        % {"unscheduled": unscheduled.label, "visit": found.label},
    )
    return redirect("visit", unscheduled.pk)


@needs(Permission.ENTER)
def book(request: UserRequest, pk: int) -> HttpResponse:
    """Make or move the appointment, on the site's clock."""

    def write(visit: Visit, values: Mapping[str, Any]) -> None:
        try:
            time = read_time(values["time"])
        except UnreadableError as error:
            raise actions.VisitError(str(error), "time") from error
        at = datetime.combine(values["day"], time, visit.participant.site.zone)
        actions.book_visit(by=request.user, visit=visit, at=at, place=values["place"] or "")

    return _change(request, pk, "book", write, _("The appointment is booked."))


@needs(Permission.ENTER)
def cancel_booking(request: UserRequest, pk: int) -> HttpResponse:
    """Give up the appointment."""
    found = visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    check_page(request, found.participant)
    try:
        actions.cancel_booking(by=request.user, visit=found)
    except RefusedError as refused:
        messages.warning(request, str(refused))
    else:
        messages.success(request, _("The appointment is given up; the visit is still to come."))
    return redirect("visit", pk)


@needs(Permission.ENTER)
def miss(request: UserRequest, pk: int) -> HttpResponse:
    """Record that the visit will not take place, and why."""

    def write(visit: Visit, values: Mapping[str, Any]) -> None:
        actions.miss_visit(by=request.user, visit=visit, because=values["because"])

    return _change(request, pk, "miss", write, _("The visit is recorded as missed."))


@needs(Permission.ENTER)
def take_back_missed(request: UserRequest, pk: int) -> HttpResponse:
    """Expect a visit again that was recorded as missed."""

    def write(visit: Visit, values: Mapping[str, Any]) -> None:
        actions.take_back_missed(by=request.user, visit=visit, reason=values["reason"])

    return _change(request, pk, "expect", write, _("The visit is expected again."))


@needs(Permission.ENTER)
def add_forms(request: UserRequest, pk: int) -> HttpResponse:
    """Ask further forms at the visit."""

    def write(visit: Visit, values: Mapping[str, Any]) -> None:
        actions.add_forms(by=request.user, visit=visit, forms=values["forms"])

    return _change(request, pk, "add", write, _("The forms are added."))


def _change(request: UserRequest, pk: int, name: str, write: Write, done: str = "") -> HttpResponse:
    """Read the form of that name, let ``write`` act, and show the visit with what came of it."""
    found = visible_visit(request, pk, Permission.ENTER)
    if request.method != "POST":
        return redirect("visit", pk)
    check_page(request, found.participant)
    form = form_of(found, name, request.POST)
    if form.is_valid():
        try:
            write(found, form.values)
        except RefusedError as refused:
            first = next(iter(form.fields))
            form.add_error(refused.item if refused.item in form.fields else first, str(refused))
        else:
            if done:
                messages.success(request, done)
            return redirect("visit", pk)
    sections = bound_sections(request, found)
    return show_visit(request, found, sections, status=422, forms={name: form})
