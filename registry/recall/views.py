"""What was planned and sent, and each mail as it went."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from registry.access.models import Site
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs, page, posted
from registry.core.errors import RefusedError

from . import actions
from .forms import BecauseForm, TuningForm
from .mail_views import reach_of
from .models import Bounce, Delivery, Digest, PlanningRun
from .tuning import tuning_of

DAYS_A_PAGE = 50
AGAIN = (Permission.ENTER, Permission.MANAGE_DATA)  # who may have a mail sent again


@require_safe
@needs(Permission.VIEW)
def recalls(request: UserRequest) -> HttpResponse:
    """Each site's planned days, newest first, with every delivery's outcome.

    With ``outcome=failed`` only the days on which a mail failed or came back for good.
    """
    runs = PlanningRun.objects.visible_to(request.user).select_related("site")
    failed_only = request.GET.get("outcome") == "failed"
    if failed_only:
        back = Bounce.objects.filter(delivery=OuterRef("pk"), hard=True)
        failed = Delivery.objects.filter(
            Q(state=Delivery.State.FAILED) | Q(Exists(back)),
            site=OuterRef("site"),
            digest__day=OuterRef("day"),
        )
        runs = runs.filter(Exists(failed))
    shown = Paginator(runs, DAYS_A_PAGE).get_page(request.GET.get("page"))
    digests = (
        Digest.objects.visible_to(request.user)
        .filter(day__in={run.day for run in shown})
        .prefetch_related("deliveries__recipient", "deliveries__bounces")
    )
    mails: dict[tuple[int, object], list[Delivery]] = {}
    for digest in digests:
        mails.setdefault((digest.site_id, digest.day), []).extend(digest.deliveries.all())
    days = [(run, mails.get((run.site_id, run.day), [])) for run in shown]
    tunable = Site.objects.filter(pk__in=request.user.sites_with(Permission.TUNE_RECALL))
    context = {
        "days": days,
        "page": shown,
        "failed_only": failed_only,
        "site": tunable.first(),
        "reach": reach_of(request.user),
    }
    return render(request, "recall/recalls.html", context)


@needs(Permission.ENTER, Permission.MANAGE_DATA)
@require_POST
def recall_again(request: UserRequest, pk: int) -> HttpResponse:
    """Send a mail again, with a reason."""
    delivery = _delivery(request, pk)
    if not any(request.user.may(one, delivery.site_id) for one in AGAIN):
        raise PermissionDenied
    form = BecauseForm(request.POST)
    if form.is_valid():
        try:
            again = actions.resend(by=request.user, delivery=delivery, **form.cleaned_data)
        except RefusedError as refused:
            form.refuse(refused)
        else:
            messages.success(request, _("The mail goes again within a minute."))
            return redirect("recall", again.pk)
    return _show(request, delivery, form)


@needs(Permission.TUNE_RECALL)
def tuning(request: UserRequest, prefix: str) -> HttpResponse:
    """How a site gets its recalls."""
    sites = Site.objects.filter(pk__in=request.user.sites_with(Permission.TUNE_RECALL))
    site = get_object_or_404(sites, prefix=prefix.upper())
    form = TuningForm(tuning_of(site), posted(request))
    if form.is_valid():
        actions.tune(by=request.user, site=site, tuning=form.tuning)
        messages.success(request, _("Saved. It holds from the next mail on."))
        return redirect("recall_tuning", site.prefix)
    return page(request, "recall/tuning.html", form, site=site, sites=sites)


@require_safe
@needs(Permission.VIEW)
def recall(request: UserRequest, pk: int) -> HttpResponse:
    """One delivery: its outcome, and the mail as it went."""
    return _show(request, _delivery(request, pk), BecauseForm())


def _show(request: UserRequest, delivery: Delivery, form: BecauseForm) -> HttpResponse:
    may = any(request.user.may(one, delivery.site_id) for one in AGAIN)
    on_its_way = delivery.state in (Delivery.State.PLANNED, Delivery.State.CLAIMED)
    context = {"delivery": delivery, "form": form, "may_send_again": may and not on_its_way}
    status = 422 if form.errors else 200
    return render(request, "recall/recall.html", context, status=status)


@require_safe
@needs(Permission.VIEW)
def recall_html(request: UserRequest, pk: int) -> HttpResponse:
    """The HTML part as it went, for the frame in :func:`recall`: a mail brings its own style."""
    delivery = _delivery(request, pk)
    if not delivery.html:
        raise Http404
    return HttpResponse(
        delivery.html,
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
            " frame-ancestors 'self'; sandbox",
            "X-Frame-Options": "SAMEORIGIN",
        },
    )


def _delivery(request: UserRequest, pk: int) -> Delivery:
    deliveries = Delivery.objects.visible_to(request.user)
    return get_object_or_404(deliveries.select_related("digest__site", "recipient"), pk=pk)
