"""What was planned and sent, and each mail as it went."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from registry.access.roles import Permission
from registry.access.views import needs

from .models import Delivery, Digest, PlanningRun

DAYS_A_PAGE = 50


@require_safe
@needs(Permission.VIEW)
def recalls(request: HttpRequest) -> HttpResponse:
    """Each site's planned days, newest first, with every delivery's outcome."""
    runs = PlanningRun.objects.visible_to(request.user).select_related("site")
    page = Paginator(runs, DAYS_A_PAGE).get_page(request.GET.get("page"))
    digests = (
        Digest.objects.visible_to(request.user)
        .filter(day__in={run.day for run in page})
        .prefetch_related("deliveries__recipient")
    )
    mails: dict[tuple[int, object], list[Delivery]] = {}
    for digest in digests:
        mails.setdefault((digest.site_id, digest.day), []).extend(digest.deliveries.all())
    days = [(run, mails.get((run.site_id, run.day), [])) for run in page]
    return render(request, "recall/recalls.html", {"days": days, "page": page})


@require_safe
@needs(Permission.VIEW)
def recall(request: HttpRequest, pk: int) -> HttpResponse:
    """One delivery: its outcome, and the mail as it went."""
    return render(request, "recall/recall.html", {"delivery": _delivery(request, pk)})


@require_safe
@needs(Permission.VIEW)
def recall_html(request: HttpRequest, pk: int) -> HttpResponse:
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


def _delivery(request: HttpRequest, pk: int) -> Delivery:
    deliveries = Delivery.objects.visible_to(request.user)
    return get_object_or_404(deliveries.select_related("digest__site", "recipient"), pk=pk)
