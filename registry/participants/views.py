"""The participants' list and search, screening, consent, identity and withdrawal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Func, TextField
from django.db.models.functions import TruncMonth
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site
from registry.access.roles import Permission
from registry.access.views import UserRequest, fetch, needs, page, posted
from registry.core.dictionary import items_of
from registry.core.encryption import SealedError
from registry.core.errors import RefusedError
from registry.core.forms import Clock, ItemsForm

from . import actions, rules, vault
from .forms import (
    ConsentVersionForm,
    CorrectionForm,
    FilterForm,
    IdentitySearchForm,
    VersionForm,
    WithdrawalForm,
    consent_items,
    site_clock,
)
from .models import Consent, ConsentVersion, Identity, Participant, Screening
from .vault import Person

PAGE = 50


@needs(Permission.VIEW)
def participants(request: UserRequest) -> HttpResponse:
    """The list; a study number that fits one participant opens their page."""
    sites = request.user.sites_with(Permission.VIEW)
    form = FilterForm(sites, request.GET)
    rows = Participant.objects.visible_to(request.user).select_related("site")
    valid = form.is_valid()
    rows = form.chosen(rows) if valid else rows.none()
    if valid and form.cleaned_data["q"]:
        found = list(rows[:2])
        if len(found) == 1:
            return redirect("participant", found[0].study_number)
    context = {
        "form": form,
        "problems": form.problems,
        "filtered": any(request.GET.get(name) for name in form.fields),
        "rows": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "sites": Site.objects.filter(pk__in=sites),
        "may_screen": request.user.may(Permission.ENTER),
        "may_see_identity": request.user.may(Permission.SEE_IDENTITY),
    }
    status = 200 if valid else 422
    return render(request, "participants/participants.html", context, status=status)


@needs(Permission.SEE_IDENTITY)
def identity_search(request: UserRequest) -> HttpResponse:
    """Find a person by identity. By POST, so that no name lands in an address or a log."""
    form = IdentitySearchForm(Clock(timezone.localdate()), posted(request))
    hits = None
    if form.is_valid():
        found = vault.find(request.user, form.indexes()).select_related("participant__site")
        hits = [
            (one.participant, vault.open_identity(by=request.user, identity=one, what="search"))
            for one in found
        ]
    own = Site.objects.filter(pk__in=request.user.sites_with(Permission.SEE_IDENTITY))
    return page(request, "participants/identity_search.html", form, hits=hits, sites=own)


# -- screening -------------------------------------------------------------------------------


@needs(Permission.ENTER)
def screen(request: UserRequest) -> HttpResponse:
    """Screen a person. Who works at several sites says first at which (``?site=TKY``)."""
    own = Site.objects.filter(pk__in=request.user.sites_with(Permission.ENTER))
    if prefix := request.GET.get("site"):
        site = get_object_or_404(own, prefix=prefix)
    elif len(own) > 1:
        return render(request, "participants/screen_where.html", {"sites": own})
    else:
        site = own.get()
    form = ItemsForm(items_of(Screening), site_clock(site), data=posted(request))
    if form.is_valid():
        try:
            made = actions.screen_person(by=request.user, site=site, values=form.values)
        except RefusedError as refused:
            form.add_error(refused.item or None, str(refused))
        else:
            return redirect("screening", made.pk)
    status = 422 if form.errors else 200
    return render(request, "participants/screen.html", {"form": form, "site": site}, status=status)


@needs(Permission.VIEW)
def screenings(request: UserRequest) -> HttpResponse:
    """Who is screened and not enrolled yet, and how many were not eligible, by month and why."""
    rows = Screening.objects.visible_to(request.user).select_related("site")
    reason = Func(
        "reasons",
        function="jsonb_array_elements_text",
        output_field=TextField(),
        set_returning=True,
    )
    failures = (
        rows.order_by()
        .annotate(reason=reason, month=TruncMonth("screened_on"))
        .values("month", "reason")
        .annotate(persons=Count("pk"))
        .order_by("-month", "reason")
    )
    waiting = rows.filter(reasons=[], participant=None).prefetch_related("consents")
    context = {
        "rows": Paginator(waiting, PAGE).get_page(request.GET.get("page")),
        "failures": [one | {"reason": _(rules.REASONS[one["reason"]])} for one in failures],
        "failed": rows.exclude(reasons=[]).count(),
        "may_screen": request.user.may(Permission.ENTER),
    }
    return render(request, "participants/screenings.html", context)


@needs(Permission.VIEW)
def screening(request: UserRequest, pk: int) -> HttpResponse:
    """What was answered, and what comes next: consent, enrolment, or the participant's page."""
    rows = Screening.objects.select_related("site", "participant")
    found = fetch(request, rows, Permission.VIEW, pk=pk)
    answers = [
        (item.label, name)
        for name, item in items_of(Screening).items()
        if getattr(found, name) is not None
    ]
    context = {
        "screening": found,
        "answers": answers,
        "consents": found.consents.select_related("version"),
        "participant": Participant.objects.filter(screening=found).first(),
        "may_enter": request.user.may(Permission.ENTER, found.site_id),
    }
    return render(request, "participants/screening.html", context)


# -- consent ---------------------------------------------------------------------------------


@needs(Permission.ENTER)
def take_consent(request: UserRequest, pk: int) -> HttpResponse:
    """The first consent of a person screened."""
    found = fetch(request, Screening.objects.select_related("site"), Permission.ENTER, pk=pk)
    return _consent(request, found, None)


@needs(Permission.ENTER)
def renew_consent(request: UserRequest, study_number: str) -> HttpResponse:
    """A further consent of a participant: a new version, or other answers."""
    participant = fetch_participant(request, study_number, Permission.ENTER)
    return _consent(request, participant.screening, participant)


def _consent(
    request: UserRequest, screening: Screening, participant: Participant | None
) -> HttpResponse:
    version = VersionForm(screening.site, posted(request))
    form = ItemsForm(consent_items(), site_clock(screening.site), data=posted(request))
    # Both are asked, so that the page names everything there is to mend.
    if all([version.is_valid(), form.is_valid()]):
        try:
            actions.take_consent(
                by=request.user,
                screening=screening,
                version=version.cleaned_data["version"],
                values=form.values,
            )
        except RefusedError as refused:
            form.add_error(refused.item or None, str(refused))
        else:
            messages.success(request, _("The consent is recorded."))
            if participant:
                return redirect("participant", participant.study_number)
            return redirect("screening", screening.pk)
    problems = [*version.problems, *form.problems]
    context = {
        "screening": screening,
        "participant": participant,
        "version": version,
        "form": form,
        "problems": problems,
        "consents": screening.consents.select_related("version"),
    }
    return render(request, "participants/consent.html", context, status=422 if problems else 200)


@needs(Permission.MANAGE_USERS)
def consent_versions(request: UserRequest, pk: int) -> HttpResponse:
    """The versions of the consent form of one site."""
    site = get_object_or_404(Site, pk=pk)
    form = ConsentVersionForm(site_clock(site), posted(request))
    if form.is_valid():
        try:
            actions.add_consent_version(by=request.user, site=site, values=form.cleaned_data)
        except RefusedError as refused:
            form.refuse(refused)
        else:
            messages.success(request, _("The version is added."))
            return redirect("consent_versions", pk)
    versions = ConsentVersion.objects.filter(site=site)
    return page(request, "participants/consent_versions.html", form, site=site, versions=versions)


@needs(Permission.ENTER)
def withdraw(request: UserRequest, study_number: str) -> HttpResponse:
    """Record what a participant withdraws."""
    participant = fetch_participant(request, study_number, Permission.ENTER)
    consents = Consent.objects.filter(screening=participant.screening_id)
    gone = rules.withdrawn_scopes(consents, participant.site.today)
    scopes = items_of(Consent)["withdrawal_scope"].choices
    left = [code for code, _label in scopes if code not in gone]
    form = WithdrawalForm(site_clock(participant.site), left, posted(request))
    if form.is_valid():
        typed = form.cleaned_data
        try:
            actions.withdraw_consent(
                by=request.user,
                participant=participant,
                on=typed["withdrawn_on"],
                scope=typed["withdrawal_scope"],
                reason=typed["reason"],
            )
        except RefusedError as refused:
            form.refuse(refused)
        else:
            messages.success(request, _("The withdrawal is recorded and holds from now on."))
            return redirect("participant", participant.study_number)
    withdrawn = [one for one in consents.order_by("withdrawn_on") if one.withdrawn_on]
    return page(
        request,
        "participants/withdraw.html",
        form,
        participant=participant,
        withdrawn=withdrawn,
        left=left,
    )


# -- identity --------------------------------------------------------------------------------


def fetch_participant(
    request: UserRequest, study_number: str, permission: Permission
) -> Participant:
    """The participant at one of the user's sites, else 404; 403 without ``permission``."""
    rows = Participant.objects.select_related("site", "screening__site")
    found: Participant = fetch(request, rows, permission, study_number=study_number.upper())
    return found


def _opened(request: UserRequest, participant: Participant, what: str) -> Person | None:
    """The identity, the look at it logged; None when it was erased."""
    kept = Identity.objects.visible_to(request.user, Permission.SEE_IDENTITY)
    identity = get_object_or_404(kept, participant=participant)
    try:
        return vault.open_identity(by=request.user, identity=identity, what=what)
    except SealedError:
        if identity.erased_at is None:
            raise
        return None


@needs(Permission.SEE_IDENTITY)
def identity(request: UserRequest, study_number: str) -> HttpResponse:
    """Who the participant is. Every look is logged."""
    participant = fetch_participant(request, study_number, Permission.SEE_IDENTITY)
    context = {
        "participant": participant,
        "person": _opened(request, participant, "identity"),
        "may_enter": request.user.may(Permission.ENTER, participant.site_id),
    }
    return render(request, "participants/identity.html", context)


@needs(Permission.SEE_IDENTITY)
def correct_identity(request: UserRequest, study_number: str) -> HttpResponse:
    """Correct who the participant is, with a reason."""
    participant = fetch_participant(request, study_number, Permission.SEE_IDENTITY)
    if not request.user.may(Permission.ENTER, participant.site_id):
        raise PermissionDenied
    shown: dict[str, Any] = {}
    if request.method != "POST":
        person = _opened(request, participant, "correction form")
        if person is None:
            return redirect("identity", participant.study_number)
        shown = asdict(person) | {"birth_date": person.birth_date.isoformat()}
    form = CorrectionForm(site_clock(participant.site), posted(request), initial=shown)
    same: list[Participant] = []
    if form.is_valid():
        try:
            actions.correct_identity(
                by=request.user,
                participant=participant,
                person=form.person(),
                reason=form.cleaned_data["reason"],
                another_person="another_person" in request.POST,
            )
        except actions.DuplicateError as duplicate:
            same = duplicate.same
            form.refuse(duplicate)
        except RefusedError as refused:
            form.refuse(refused)
        else:
            messages.success(request, _("The identity is corrected."))
            return redirect("identity", participant.study_number)
    return page(
        request, "participants/identity_correct.html", form, participant=participant, same=same
    )
