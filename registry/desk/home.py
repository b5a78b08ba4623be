"""Home: what needs me today, each line a link to the very place."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from registry.access.roles import Permission
from registry.access.views import UserRequest
from registry.core.pages import count

from .work import Reader, groups_of

SHOWN = 6


def home(request: HttpRequest) -> HttpResponse:
    """The page each role starts from."""
    if not request.user.is_authenticated:
        return redirect("account_login")
    user = request.user
    if user.may(Permission.VIEW):
        return _today(cast(UserRequest, request))
    for permission, place in (
        (Permission.READ_FILMS, "readings"),
        (Permission.REQUEST_DATASET, "datasets"),
        (Permission.APPROVE_DATASET, "datasets"),
        (Permission.MANAGE_USERS, "users"),
    ):
        if user.may(permission):
            return redirect(place)
    return render(request, "desk/no_role.html")


def _today(request: UserRequest) -> HttpResponse:
    reader = Reader(request.user)
    groups = []
    for group in groups_of(request.user):
        rows = group.rows(reader)
        lines = [group.line(row) for row in rows[:SHOWN]]
        groups.append({"group": group, "lines": lines, "count": count(rows)})
    context = {"today": timezone.localdate(), "groups": groups}
    return render(request, "desk/home.html", context)
