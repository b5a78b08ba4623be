"""Pages about the mails themselves: pausing them, and addresses that get none any more."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.access.models import Site, User
from registry.access.roles import Permission, Role
from registry.access.views import UserRequest, needs
from registry.core.errors import RefusedError

from . import actions
from .models import MailPause, MailStop
from .signed import read_pause

LIFTED_SHOWN = 20

may_lift = needs(Permission.MANAGE_DATA, Permission.MANAGE_USERS)


@csrf_exempt  # the signed link is the authority, and a mail program's click carries no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def mail_pause(request: HttpRequest, token: str) -> HttpResponse:
    """The link in a daily mail: asks on GET, pauses on POST (RFC 8058), without a log-in."""
    link = read_pause(token)
    if link is None:
        raise Http404
    user, site = get_object_or_404(User, pk=link.user), get_object_or_404(Site, pk=link.site)
    by = User.objects.system("recall")
    with actions.at_site(site, by), translation.override(user.language):
        if request.method == "POST" and link.works:
            actions.pause(by=by, user=user, site=site)
        paused = MailPause.objects.filter(site=site, user=user, lifted_at=None).exists()
        response = render(
            request,
            "recall/pause.html",
            {"site": site, "person": user, "paused": paused, "works": link.works},
            status=200 if link.works else 410,
        )
        response.headers["Content-Language"] = user.language
    return response


@needs(Permission.VIEW)
@require_POST
def recall_pause(request: UserRequest, pk: int) -> HttpResponse:
    """Pause one's own daily mails of a site."""
    site = _site_of(request, pk)
    actions.pause(by=request.user, user=request.user, site=site)
    messages.success(request, _("Your daily mails of %(site)s are paused.") % {"site": site})
    return redirect("recalls")


@needs(Permission.VIEW)
@require_POST
def recall_resume(request: UserRequest, pk: int) -> HttpResponse:
    """Take one's own daily mails of a site up again."""
    site = _site_of(request, pk)
    actions.resume(by=request.user, site=site)
    messages.success(request, _("Your daily mails of %(site)s come again.") % {"site": site})
    return redirect("recalls")


def _site_of(request: UserRequest, pk: int) -> Site:
    visible = Site.objects.filter(pk__in=request.user.sites_with(Permission.VIEW))
    return get_object_or_404(visible, pk=pk)


def reach_of(user: User) -> dict[str, Any]:
    """Whom the mails of the user's sites reach: the user's own, who paused, who is stopped."""
    seen = user.sites_with(Permission.VIEW)
    lasting = MailPause.objects.visible_to(user).filter(lifted_at=None)
    pauses = list(lasting.select_related("user", "site").order_by("site", "user__name"))
    paused = {pause.site: pause for pause in pauses if pause.user_id == user.pk}
    works_at = user.memberships.filter(role__in=(Role.COORDINATOR, Role.INVESTIGATOR))
    sites = {membership.site for membership in works_at.select_related("site")}
    own = [(site, paused.get(site)) for site in sorted(sites | paused.keys(), key=str)]
    stops = {stop.address: stop for stop in MailStop.objects.filter(lifted_at=None)}
    people = User.objects.filter(email__in=stops)
    if not user.may(Permission.MANAGE_DATA):
        people = people.filter(memberships__site__in=seen).distinct()
    return {
        "own": own,
        "others": [pause for pause in pauses if pause.user_id != user.pk],
        "stopped": [(person, stops[person.email]) for person in people],
        "may_lift": user.may(Permission.MANAGE_DATA),
    }


@require_safe
@may_lift
def mail_stops(request: UserRequest) -> HttpResponse:
    """Every address that gets no mail any more, and those that do again, with the reason."""
    return _stops_page(request)


@may_lift
@require_POST
def mail_again(request: UserRequest, pk: int) -> HttpResponse:
    """Let mails go to an address again, with a reason."""
    stop = get_object_or_404(MailStop, pk=pk, lifted_at=None)
    try:
        actions.mail_again(by=request.user, stop=stop, reason=request.POST.get("reason", ""))
    except RefusedError as refused:
        return _stops_page(request, stop, str(refused))
    messages.success(request, _("Mails go to %(address)s again.") % {"address": stop.address})
    return redirect("mail_stops")


def _stops_page(
    request: UserRequest, refused: MailStop | None = None, message: str = ""
) -> HttpResponse:
    stops = MailStop.objects.filter(lifted_at=None)
    people = {one.email: one for one in User.objects.filter(email__in=stops.values("address"))}
    lifted = MailStop.objects.filter(lifted_at__isnull=False).select_related("lifted_by")
    context = {
        "stops": [(stop, people.get(stop.address)) for stop in stops],
        "lifted": lifted.order_by("-lifted_at")[:LIFTED_SHOWN],
        "problems": [(f"reason-{refused.pk}", message)] if refused else [],
        "refused": refused,
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "recall/mail_stops.html", context, status=422 if refused else 200)
