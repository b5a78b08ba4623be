"""An ulcer's page, and the forms that record and correct an ulcer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dictionary import choice, items_of, text
from registry.core.errors import RefusedError
from registry.core.forms import Clock, ItemsForm, show_value
from registry.participants.guard import check_page
from registry.visits import losses
from registry.visits.models import LegCheck, Visit

from . import actions, rules
from .assessment import UlcerAssessment
from .ulcer import Ulcer

# The participant's right leg stands first.
SIDES = [("right", "Right"), ("left", "Left")]
LEG = choice("Leg", SIDES, required=True, absence=False).item
REASON = text("Reason for the correction", required=True, absence=False).item
ASSESSED = items_of(UlcerAssessment)
OUTCOMES = {
    "healed": gettext_lazy("healed"),
    "amputated": gettext_lazy("not healed before the leg was amputated"),
    "died": gettext_lazy("not healed before the participant died"),
    "censored": gettext_lazy("not healed so far"),
}
SHOWN = [
    "ulcer_status",
    "closure_by",
    "merged_into",
    "length_mm",
    "width_mm",
    "area_mm2",
    "depth",
    "exudate",
    "exudate_type",
    "infection",
    "slough_percent",
    "extruded_calcium",
    "calcium_palpable",
    "pain_nrs",
]


@needs(Permission.ENTER)
def add_ulcer(request: UserRequest, visit_id: int) -> HttpResponse:
    """Record an ulcer first seen at a visit."""
    visits = Visit.objects.visible_to(request.user, Permission.ENTER)
    visit = get_object_or_404(
        visits.select_related("participant__site", "participant__screening"), pk=visit_id
    )
    posted = request.POST if request.method == "POST" else None
    if posted is not None:
        check_page(request, visit.participant)
    form = ItemsForm({"limb": LEG, **items_of(Ulcer)}, _clock(visit), data=posted)
    if posted is not None and form.is_valid():
        values = dict(form.values)
        try:
            added = actions.add_ulcer(
                by=request.user,
                participant=visit.participant,
                limb=values.pop("limb"),
                visit=visit,
                values=values,
            )
        except RefusedError as refused:
            form.add_error(refused.item or None, str(refused))
        else:
            messages.success(
                request, _("Ulcer %(label)s is recorded: assess it now.") % {"label": added}
            )
            response = redirect("visit", visit.pk)
            response["Location"] += "#form-ulcers"
            return response
    context = {"visit": visit, "participant": visit.participant, "form": form}
    status = 200 if posted is None else 422
    return render(request, "ulcers/add_ulcer.html", context, status=status)


@needs(Permission.VIEW)
def ulcer(request: UserRequest, pk: int) -> HttpResponse:
    """The ulcer's facts, its state in words and every assessment, left to right in time."""
    found = _visible_ulcer(request, pk, Permission.VIEW)
    participant = found.participant
    assessments = found.assessed
    course = found.course()
    leg = list(Ulcer.objects.of_leg(participant, found.limb))
    answers: Any = LegCheck.objects.filter(
        entry__participant=participant,
        entry__limb=found.limb,
        leg_status="present",  # an amputated leg has no ulcer-free time (domain.md B5)
        any_open_ulcer__isnull=False,
        done_on__isnull=False,
    ).values_list("done_on", "any_open_ulcer")
    lost_on = losses.legs_lost(participant.pk).get(found.limb)
    died_on = losses.died_on(participant.pk)
    ends = [day for day in (lost_on, died_on) if day]
    context = {
        "ulcer": found,
        "participant": participant,
        "course": course,
        "assessments": assessments,
        "rows": list(_rows(assessments)),
        "recurrence": rules.recurrence(found, leg),
        "kind": rules.first_or_recurrent(found, leg),
        "is_index": rules.index_ulcer(leg, participant.enrolled_on) == found,
        "healing_days": rules.time_to_healing_days(course, found.onset, participant.enrolled_on),
        "age_days": rules.ulcer_age_days(found.onset, participant.enrolled_on),
        "four_weeks": rules.area_change_percent(assessments, *rules.FOUR_WEEKS),
        "twelve_weeks": rules.area_change_percent(assessments, *rules.TWELVE_WEEKS),
        "ulcer_free": rules.ulcer_free_days(
            answers, participant.enrolled_on, min(ends, default=None)
        ),
        "outcome": OUTCOMES[rules.ulcer_outcome(course, lost_on, died_on)],
        "may_enter": request.user.may(Permission.ENTER, found.site_id),
    }
    return render(request, "ulcers/ulcer.html", context)


@needs(Permission.ENTER)
def correct_ulcer(request: UserRequest, pk: int) -> HttpResponse:
    """Correct what was recorded of an ulcer, with a reason."""
    found = _visible_ulcer(request, pk, Permission.ENTER)
    posted = request.POST if request.method == "POST" else None
    if posted is not None:
        check_page(request, found.participant)
    site = found.participant.site
    form = ItemsForm(
        items_of(Ulcer) | {"reason": REASON},
        Clock(site.today, order=site.date_order),
        data=posted,
        initial={name: getattr(found, name) for name in items_of(Ulcer)},
    )
    if posted is not None and form.is_valid():
        values = dict(form.values)
        try:
            actions.correct_ulcer(
                by=request.user, ulcer=found, reason=values.pop("reason"), values=values
            )
        except RefusedError as refused:
            form.add_error(refused.item or None, str(refused))
        else:
            messages.success(request, _("Ulcer %(label)s is corrected.") % {"label": found})
            return redirect("ulcer", found.pk)
    context = {"ulcer": found, "participant": found.participant, "form": form}
    status = 200 if posted is None else 422
    return render(request, "ulcers/correct_ulcer.html", context, status=status)


def _visible_ulcer(request: UserRequest, pk: int, permission: Permission) -> Ulcer:
    ulcers = Ulcer.objects.visible_to(request.user, permission).with_assessments()
    found: Ulcer = get_object_or_404(
        ulcers.select_related("participant__screening").prefetch_related(
            "assessments__entry__visit"
        ),
        pk=pk,
    )
    return found


def _clock(visit: Visit) -> Clock:
    site = visit.participant.site
    return Clock(site.today, visit.attended_on, site.date_order)


def _rows(assessments: list[UlcerAssessment]) -> Iterator[tuple[str, list[str]]]:
    """Label and a text for each assessment, for every item that was ever answered."""
    for name in SHOWN:
        texts = [_cell(one, name) for one in assessments]
        if any(getattr(one, name) is not None or name in one.absent for one in assessments):
            yield ASSESSED[name].label, texts
        if name == "area_mm2" and len(assessments) > 1:
            yield _("Change"), [_("first seen"), *map(_change, pairwise(assessments))]


def _cell(one: UlcerAssessment, name: str) -> str:
    """An item of an assessment in words; an area never without its method."""
    item = ASSESSED[name]
    if shown := show_value(item, getattr(one, name), one, name):
        if name != "area_mm2":
            return shown
        return f"{shown} ({ASSESSED['area_method'].choice_label(rules.method(one))})"
    conditions = item.when or ({"ulcer_status": "open"} if name == "area_mm2" else {})
    asked = all(getattr(one, other) == wanted for other, wanted in conditions.items())
    return _("not recorded") if asked else _("not asked")


def _change(pair: tuple[Any, Any]) -> str:
    """The change of area as a sentence."""
    earlier, later = pair
    if change := rules.change(earlier, later):
        return change.sentence
    if rules.measured(pair) == [earlier, later]:
        return _("measured by another method: not comparable")
    return _("not measured at both")
