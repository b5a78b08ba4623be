"""What will be told, and what people hold back of it."""

from __future__ import annotations

from itertools import groupby

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site
from registry.access.roles import Permission
from registry.access.views import UserRequest, fetch, needs, posted
from registry.core.errors import RefusedError
from registry.participants.forms import site_clock
from registry.participants.guard import check_page
from registry.participants.models import Participant

from . import actions
from .forms import BecauseForm, SnoozeForm

DAYS = 14


@needs(Permission.VIEW)
def coming(request: UserRequest) -> HttpResponse:
    """What each of the user's sites will be told in the next days, by the rules that send it."""
    sites = Site.objects.filter(pk__in=request.user.sites_with(Permission.VIEW))
    site = sites.filter(prefix=request.GET.get("site", "")).first() or sites.first()
    found = actions.forecast(site=site, now=timezone.now(), days=DAYS) if site else []
    days = [
        (day, [(heading, list(some)) for heading, some in groupby(ones, lambda one: one.heading)])
        for day, ones in groupby(found, lambda one: one.day)
    ]
    context = {
        "site": site,
        "sites": sites,
        "days": days,
        "span": DAYS,
        "may_enter": site is not None and request.user.may(Permission.ENTER, site.pk),
    }
    return render(request, "recall/coming.html", context)


@needs(Permission.ENTER)
def snooze(request: UserRequest, label: str, key: int) -> HttpResponse:
    """Hold a record's recall back until a day."""
    sites = Site.objects.filter(pk__in=request.user.sites_with(Permission.ENTER))
    found = next(
        ((site, line) for site in sites if (line := actions.line_of(site, label, key))), None
    )
    if found is None:
        raise Http404
    site, line = found
    form = SnoozeForm(site_clock(site), posted(request))
    if form.is_valid():
        try:
            held = actions.snooze(
                by=request.user, site=site, label=label, key=key, **form.cleaned_data
            )
        except RefusedError as refused:
            form.refuse(refused)
        else:
            messages.success(request, _("Held back. It is told again on the day you chose."))
            return redirect(f"{reverse('recalls_coming')}?site={held.site.prefix}")
    status = 422 if form.errors else 200
    context = {"form": form, "line": line, "site": site}
    return render(request, "recall/snooze.html", context, status=status)


@needs(Permission.VIEW)
def of_participant(request: UserRequest, study_number: str) -> HttpResponse:
    """The recalls of a participant: stopped by whom, and what is to come.

    POST stops them, or with ``action=lift`` takes them up again.
    """
    permission = Permission.ENTER if request.method == "POST" else Permission.VIEW
    participants = Participant.objects.with_consent().select_related("site")
    found: Participant = fetch(request, participants, permission, study_number=study_number.upper())
    stop = found.recall_stops.filter(lifted_at__isnull=True).select_related("by").first()
    lifts = request.POST.get("action") == "lift"
    form = BecauseForm(None if lifts else posted(request))
    if request.method == "POST":
        check_page(request, found)
        if lifts or form.is_valid():
            try:
                if lifts:
                    actions.lift(by=request.user, participant=found)
                    done = _("The site is recalled of this participant again.")
                else:
                    actions.stop(by=request.user, participant=found, **form.cleaned_data)
                    done = _("Recall of this participant is stopped.")
                messages.success(request, done)
            except RefusedError as refused:
                messages.error(request, str(refused))
            return redirect("recall_of_participant", found.study_number)
    context = {
        "participant": found,
        "form": form,
        "stop": stop,
        "coming": actions.forecast(site=found.site, now=timezone.now(), days=DAYS, of=found),
        "may_enter": request.user.may(Permission.ENTER, found.site_id),
    }
    status = 422 if form.errors else 200
    return render(request, "recall/participant.html", context, status=status)
