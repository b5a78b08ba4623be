"""Pages on which an investigator takes a copy of the site's own data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.access.models import Site
from registry.access.proof import password_problem
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.audit.models import Look

from . import actions, links
from .actions import ExportError
from .models import SiteCopy

LINK_LASTS = 15 * 60  # seconds
SALT = "registry.exports.copy"

investigators = needs(Permission.COPY_SITE)


@require_safe
@investigators
def own_data(request: UserRequest) -> HttpResponse:
    """To the page of the user's site, or of the first of several."""
    return redirect("site_copies", _sites(request)[0].prefix)


@require_http_methods(["GET", "HEAD", "POST"])
@investigators
def site_copies(request: UserRequest, prefix: str) -> HttpResponse:
    """What a copy holds and the copies taken so far; POST asks for one, with the password."""
    site = _site(request, prefix)
    problems = []
    if request.method == "POST":
        wrong = _("This is not your password. Nothing was asked for.")
        try:
            if problem := password_problem(request, wrong):
                problems = [("id_password", problem)]
            else:
                copy = actions.ask_for_copy(by=request.user, site=site)
                return redirect("site_copy", prefix, copy.pk)
        except ExportError as refused:
            problems = [("", str(refused))]
    page = {
        "site": site,
        "sites": _sites(request),
        "copies": _copies(request, site).select_related("asked_by"),
        "problems": problems,
    }
    return render(request, "exports/own/copies.html", page, status=422 if problems else 200)


@require_safe
@investigators
def site_copy(request: UserRequest, prefix: str, copy_id: int) -> HttpResponse:
    """One's own copy: its progress (fetched again by htmx), then its link and what proves it."""
    copy = _own_copy(request, prefix, copy_id)
    return _page(request, copy, "exports/own/_copy.html" if request.htmx else "")


@require_safe
@investigators
def download_copy(request: UserRequest, prefix: str, copy_id: int, token: str) -> HttpResponse:
    """Serve the zip under a link signed for this person, for a quarter of an hour."""
    copy = _own_copy(request, prefix, copy_id)
    if links.expired(request, copy, token, SALT, LINK_LASTS):
        return redirect("site_copy", prefix, copy.pk)
    try:
        chunks = actions.open_copy(by=request.user, copy=copy)
    except ExportError as error:
        return _page(request, copy, status=409, error=str(error))
    response: Any = StreamingHttpResponse(chunks, content_type="application/zip")
    response["Content-Length"] = str(copy.size)
    response["Content-Disposition"] = f'attachment; filename="saphena-site-copy-{copy.pk}.zip"'
    return response


def _page(
    request: UserRequest, copy: SiteCopy, template: str = "", status: int = 200, error: str = ""
) -> HttpResponse:
    downloads = Look.objects.filter(label=copy._meta.label_lower, key=copy.pk)
    page = {
        "copy": copy,
        "as_of": datetime.fromisoformat(copy.manifest["data_as_of"]) if copy.manifest else None,
        "site": copy.site,
        "token": links.signed(request, copy, SALT) if copy.available else "",
        "minutes": LINK_LASTS // 60,
        "problems": [("", error)] if error else [],
        "downloads": downloads.select_related("by"),
    }
    return render(request, template or "exports/own/copy.html", page, status=status)


def _sites(request: UserRequest) -> list[Site]:
    return list(Site.objects.filter(pk__in=request.user.sites_with(Permission.COPY_SITE)))


def _site(request: UserRequest, prefix: str) -> Site:
    own = request.user.sites_with(Permission.COPY_SITE)
    return get_object_or_404(Site, pk__in=own, prefix=prefix)


def _copies(request: UserRequest, site: Site) -> Any:
    return SiteCopy.objects.visible_to(request.user, Permission.COPY_SITE).filter(site=site)


def _own_copy(request: UserRequest, prefix: str, copy_id: int) -> SiteCopy:
    own = _copies(request, _site(request, prefix)).filter(asked_by=request.user.pk)
    copy: SiteCopy = get_object_or_404(own.select_related("site"), pk=copy_id)
    return copy
