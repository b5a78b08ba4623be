"""The participant's page: who, what is due, what was found, each a link to its record."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, fetch, needs
from registry.core.dates import show_date
from registry.core.errors import RefusedError
from registry.core.forms import ItemsForm
from registry.participants.guard import check_page
from registry.participants.models import Participant
from registry.quality.models import DataQuery
from registry.visits.actions import add_unscheduled_visit
from registry.visits.forms import unscheduled_form
from registry.visits.models import LIMBS
from registry.visits.rules import Status

from .leg_facts import legend
from .records import Records

NEXT = (Status.OVERDUE, Status.DUE, Status.PLANNED)
PERIODS = {"24": 24, "6": 6}  # months


def visible_participant(
    request: UserRequest, study_number: str, permission: Permission = Permission.VIEW
) -> Participant:
    """The participant of that number: 404 where nobody is seen, 403 without ``permission``."""
    participants = Participant.objects.with_consent().select_related("site", "screening")
    found: Participant = fetch(request, participants, permission, study_number=study_number.upper())
    return found


@needs(Permission.VIEW)
def participant(request: UserRequest, study_number: str) -> HttpResponse:
    return _page(request, visible_participant(request, study_number))


@needs(Permission.ENTER)
def add_visit(request: UserRequest, study_number: str) -> HttpResponse:
    """Add an unscheduled visit on the day typed."""
    found = visible_participant(request, study_number, Permission.ENTER)
    if request.method != "POST":
        return redirect("participant", found.study_number)
    check_page(request, found)
    form = unscheduled_form(found, request.POST)
    if form.is_valid():
        try:
            visit = add_unscheduled_visit(
                by=request.user,
                participant=found,
                on=form.values["visit_on"],
                forms=form.values["forms"] or (),
            )
        except RefusedError as refused:
            form.add_error(refused.item or "visit_on", str(refused))
        else:
            messages.success(request, _("%(visit)s added.") % {"visit": visit})
            return redirect("visit", visit.pk)
    return _page(request, found, form, status=422)


def _page(
    request: UserRequest, participant: Participant, form: ItemsForm | None = None, status: int = 200
) -> HttpResponse:
    today = participant.site.today
    queries = DataQuery.objects.for_user(request.user).unanswered()
    records = Records(participant, today)
    chosen = request.GET.get("period", "")
    context = {
        "participant": participant,
        "visits": records.visits,
        "next": next((one for one in records.visits if one.status in NEXT), None),
        "queries": list(queries.filter(participant_no=participant.pk)),
        "worst_ceap": records.worst_ceap,
        "legs": [
            {
                "limb": limb,
                "ceap": next((one for one in records.ceaps[::-1] if one.entry.limb == limb), None),
                "grade": records.grade(limb),
                "ulcers": [(one, one.course()) for one in records.ulcers if one.limb == limb],
            }
            for limb, _name in LIMBS
        ],
        "timeline": records.timeline(PERIODS.get(chosen)),
        "period": chosen if chosen in PERIODS else "all",
        "periods": [("all", _("All")), ("24", _("2 years")), ("6", _("6 months"))],
        "legend": legend(),
        "repeated": records.repeated,
        "logs": records.logs,
        "consents": records.consents,
        "contacts": records.contacts,
        "ends": records.ends,
        "may_enter": request.user.may(Permission.ENTER, participant.site_id),
        "may_see_identity": request.user.may(Permission.SEE_IDENTITY, participant.site_id),
        "form": form or unscheduled_form(participant),
        "today": show_date(today),
    }
    return render(request, "desk/participant.html", context, status=status)
