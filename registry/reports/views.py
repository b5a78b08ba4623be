"""The Tokoro report of one's sites."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.access.models import Site
from registry.access.roles import Permission
from registry.access.views import needs
from registry.participants.models import Participant

from .cases import baseline_cases
from .tables import conventions, published, tables
from .tokoro import RECONSTRUCTION, report


@needs(Permission.VIEW)
@require_safe
def tokoro_report(request: HttpRequest) -> HttpResponse:
    """The report over the site named by ``?site=PREFIX``, else over all sites the user may see.

    The reconstruction is no patient data: it is reported alone, never pooled with sites.
    """
    assert request.user.is_authenticated
    sites = Site.objects.filter(pk__in=request.user.sites_with(Permission.VIEW))
    chosen = sites[0] if len(sites) == 1 else None
    if prefix := request.GET.get("site", ""):
        chosen = next((site for site in sites if site.prefix == prefix), None)
        if chosen is None:
            raise Http404
    covered = [chosen] if chosen else [site for site in sites if site.prefix != RECONSTRUCTION]
    participants = Participant.objects.visible_to(request.user).filter(site__in=covered)
    found = report(baseline_cases(participants))
    reconstructed = chosen is not None and chosen.prefix == RECONSTRUCTION
    return render(
        request,
        "reports/tokoro.html",
        {
            "sites": sites,
            "chosen": chosen,
            "covered": covered,
            "left_out": [site for site in sites if site not in covered] if not chosen else [],
            "report": found,
            "tables": tables(found),
            "published": published() if reconstructed else None,
            "conventions": conventions() if reconstructed else [],
        },
    )
