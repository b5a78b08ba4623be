"""The participant's page: who, what is due, what was found, each a link to its record."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dates import show_date
from registry.core.errors import RefusedError
from registry.core.forms import ItemsForm
from registry.crfs.models import Ceap
from registry.imaging.models import Reading
from registry.participants.models import Participant
from registry.quality.models import DataQuery
from registry.ulcers.models import Ulcer
from registry.visits.actions import add_unscheduled_visit
from registry.visits.forms import unscheduled_form
from registry.visits.models import LIMBS, Visit


def visible_participant(request: UserRequest, study_number: str) -> Participant:
    """The participant of that number at one of the user's sites, else 404."""
    participants = Participant.objects.visible_to(request.user).with_consent()
    return get_object_or_404(
        participants.select_related("site", "screening"), study_number=study_number.upper()
    )


@needs(Permission.VIEW)
def participant(request: UserRequest, study_number: str) -> HttpResponse:
    return _page(request, visible_participant(request, study_number))


@needs(Permission.ENTER)
def add_visit(request: UserRequest, study_number: str) -> HttpResponse:
    """Add an unscheduled visit on the day typed."""
    found = visible_participant(request, study_number)
    if request.method != "POST":
        return redirect("participant", found.study_number)
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
    visits = Visit.objects.filter(participant=participant).with_status(today)
    visits = visits.order_by("target_on", "pk")  # an aggregate drops the model's own order
    queries = DataQuery.objects.for_user(request.user).unanswered()
    queries = queries.filter(participant_no=participant.pk)
    ulcers = Ulcer.objects.filter(participant=participant).prefetch_related(
        "assessments__entry__visit"
    )
    ceaps = (
        Ceap.objects.filter(entry__participant=participant)
        .select_related("entry__visit")
        .order_by("entry__limb", "-done_on", "-pk")
    )
    latest: dict[str, Ceap] = {}
    for ceap in ceaps:
        latest.setdefault(ceap.entry.limb, ceap)
    readings = (
        Reading.objects.filter(xray__entry__participant=participant)
        .select_related("xray__entry__visit")
        .order_by("xray__acquired_on", "pk")
    )
    grades = {reading.xray.entry.limb: reading for reading in readings}
    may_enter = request.user.may(Permission.ENTER, participant.site_id)
    context = {
        "participant": participant,
        "visits": visits,
        "queries": queries,
        "legs": [
            {
                "limb": limb,
                "name": name,
                "ceap": latest.get(limb),
                "grade": grades.get(limb),
                "ulcers": [(ulcer, ulcer.course()) for ulcer in ulcers if ulcer.limb == limb],
            }
            for limb, name in LIMBS
        ],
        "consents": participant.screening.consents.select_related("version"),
        "may_enter": may_enter,
        "may_see_identity": request.user.may(Permission.SEE_IDENTITY, participant.site_id),
        "form": form or unscheduled_form(participant),
        "today": show_date(today),
    }
    return render(request, "desk/participant.html", context, status=status)
