"""From a data query to the very place it asks about."""

from __future__ import annotations

from django.apps import apps
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.participants.models import Participant
from registry.quality.models import DataQuery
from registry.ulcers.models import Ulcer
from registry.visits.crf import Crf


@needs(Permission.VIEW)
def query(request: UserRequest, pk: int) -> HttpResponse:
    """Go to the form, the ulcer or the participant that the query is about."""
    found = get_object_or_404(DataQuery.objects.for_user(request.user), pk=pk)
    record = apps.get_model(found.label).objects.filter(pk=found.key).first()
    if isinstance(record, Crf) and record.entry.visit_id:
        response = redirect("visit", record.entry.visit_id)
        response["Location"] += f"#form-{record.entry.form}"
        return response
    if isinstance(record, Ulcer):
        return redirect("ulcer", record.pk)
    participant = get_object_or_404(
        Participant.objects.visible_to(request.user), pk=found.participant_no
    )
    return redirect("participant", participant.study_number)
