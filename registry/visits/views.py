"""Enrolment, which plans the visits."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from registry.access.roles import Permission
from registry.access.views import UserRequest, fetch, needs, posted
from registry.core.errors import RefusedError
from registry.core.forms import ItemsForm
from registry.participants.actions import DuplicateError
from registry.participants.forms import PersonForm, participant_items, site_clock
from registry.participants.models import Participant, Screening

from .actions import enrol_and_plan


@needs(Permission.ENTER)
def enrol(request: UserRequest, pk: int) -> HttpResponse:
    """Enrol a person screened and consented: identity and first answers on one page."""
    screening = fetch(request, Screening.objects.select_related("site"), Permission.ENTER, pk=pk)
    clock = site_clock(screening.site)
    person = PersonForm(clock, posted(request))
    form = ItemsForm(participant_items(screening), clock, data=posted(request))
    same: list[Participant] = []
    # Both are asked, so that the page names everything there is to mend.
    if all([person.is_valid(), form.is_valid()]):
        try:
            participant = enrol_and_plan(
                by=request.user,
                screening=screening,
                person=person.person(),
                values=form.values,
                another_person="another_person" in request.POST,
            )
        except RefusedError as refused:
            if isinstance(refused, DuplicateError):
                same = refused.same
            if refused.item in form.fields:
                form.add_error(refused.item, str(refused))
            else:
                person.refuse(refused)
        else:
            messages.success(
                request,
                _("%(number)s is enrolled, and the visits are planned.")
                % {"number": participant.study_number},
            )
            return redirect("participant", participant.study_number)
    problems = [*person.problems, *form.problems]
    context = {
        "screening": screening,
        "person": person,
        "form": form,
        "same": same,
        "problems": problems,
    }
    return render(request, "visits/enrol.html", context, status=422 if problems else 200)
