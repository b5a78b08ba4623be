"""The header: where one may go, and at which sites one works."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from registry.access.roles import Permission

PLACES: list[tuple[str, str, set[Permission]]] = [
    ("home", _("Today"), {Permission.VIEW}),
    ("participants", _("Participants"), {Permission.VIEW}),
    ("matrix", _("Visits"), {Permission.VIEW}),
    ("queries", _("Queries"), {Permission.VIEW}),
    ("recalls", _("Recall"), {Permission.VIEW}),
    ("readings", _("Films"), {Permission.READ_FILMS}),
    ("datasets", _("Datasets"), {Permission.REQUEST_DATASET, Permission.APPROVE_DATASET}),
    ("own_data", _("Site’s data"), {Permission.COPY_SITE}),
    ("tokoro_report", _("Reports"), {Permission.VIEW}),
    ("users", _("Users"), {Permission.MANAGE_USERS}),
    ("sites", _("Sites"), {Permission.MANAGE_USERS}),
]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Template context: the places the user may go to, their sites' names, and the languages."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"languages": settings.LANGUAGES}
    places = [
        {"url": reverse(name), "label": gettext(label), "here": request.path == reverse(name)}
        for name, label, permissions in PLACES
        if permissions & user.grants.keys()
    ]
    sites = [m.site.name for m in user.memberships.select_related("site") if m.site]
    central = [str(m) for m in user.memberships.all() if not m.site_id]
    return {
        "navigation": places,
        "user_sites": ", ".join([*sites, *central]),
        "may_search": user.may(Permission.VIEW),
        "languages": settings.LANGUAGES,
    }
