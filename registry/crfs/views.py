"""The reference limits of a site's laboratory."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from registry.access.models import Site
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.core.dictionary import choice, date, items_of, number
from registry.core.errors import RefusedError
from registry.core.forms import Clock, ItemsForm

from .actions import set_limits
from .laboratory import Laboratory
from .limits import LaboratoryLimit

LIMITED = {name: item for name, item in items_of(Laboratory).items() if item.limits}
ITEMS = {
    "item": choice(
        "Laboratory value",
        [(name, f"{item.text} ({item.unit})") for name, item in LIMITED.items()],
        required=True,
        absence=False,
    ).item,
    "valid_from": date("Valid from", required=True, absence=False).item,
    "low": number("Lower limit", possible=(0, 100_000), places=4, absence=False).item,
    "high": number("Upper limit", possible=(0, 100_000), places=4, absence=False).item,
}


@needs(Permission.VIEW)
def laboratory_limits(request: UserRequest, prefix: str) -> HttpResponse:
    """The limits of one site, and a form to set one."""
    sites = Site.objects.filter(pk__in=request.user.sites_with(Permission.VIEW))
    site = get_object_or_404(sites, prefix=prefix)
    may_enter = request.user.may(Permission.ENTER, site.pk)
    clock = Clock(site.today, order=site.date_order)
    form = ItemsForm(ITEMS, clock, data=request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        if not may_enter:
            raise PermissionDenied
        status = 422
        if form.is_valid():
            try:
                set_limits(by=request.user, site=site, **form.values)
            except RefusedError as refused:
                form.add_error(refused.item, str(refused))
            else:
                messages.success(request, _("Limits set."))
                return redirect("laboratory_limits", prefix)
    limits = [
        (LIMITED[limit.item], limit)
        for limit in LaboratoryLimit.objects.visible_to(request.user).filter(site=site)
    ]
    context = {"site": site, "limits": limits, "form": form, "may_enter": may_enter}
    return render(request, "crfs/laboratory_limits.html", context, status=status)
