"""Proving anew who one is, before what must not be done from a screen left open."""

from __future__ import annotations

from allauth.core import ratelimit
from django.utils.translation import gettext as _

from .views import UserRequest


def password_problem(request: UserRequest, wrong: str) -> str:
    """Why the password sent proves nothing (``wrong``, or too many tries), or nothing.

    Tries are limited as at the log-in.
    """
    if not ratelimit.consume(request, action="reauthenticate", user=request.user):
        return _("Too many tries. Wait a minute, then try again.")
    return "" if request.user.check_password(request.POST.get("password", "")) else wrong
