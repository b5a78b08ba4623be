"""How long one stays signed in: thirty minutes from the last thing a person did.

A page that is opened is a person's doing. A request of a page's script says itself whether keys
or pointer were used just before (``Saphena-Active: 1``); without that it extends nothing, so a
poll never keeps an abandoned screen open.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import resolve_url

STEP_S = 60  # activity is written down at most once a minute
SEEN = "seen"


class SessionMiddleware:
    """Extend the session by human activity only, and tell scripts plainly when it is over."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and by_person(request):
            now = int(time.time())
            if now - request.session.get(SEEN, 0) >= STEP_S:
                request.session[SEEN] = now
        response = self.get_response(request)
        signed_out = response.status_code == 302 and not request.user.is_authenticated
        to_log_in = response.get("Location", "").startswith(resolve_url(settings.LOGIN_URL))
        if signed_out and to_log_in and by_script(request):
            return HttpResponse(status=401)
        return response


def by_script(request: HttpRequest) -> bool:
    """Whether a page's script asks, and not somebody who opens a page."""
    return "HX-Request" in request.headers or "Saphena-Active" in request.headers


def by_person(request: HttpRequest) -> bool:
    """Whether a person's doing is behind the request."""
    if by_script(request):
        return request.headers.get("Saphena-Active") == "1"
    return "prefetch" not in request.headers.get("Sec-Purpose", "")


def session_state(request: HttpRequest) -> HttpResponse:
    """The seconds until the session ends; 401 when it has."""
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    seen = request.session.get(SEEN, 0)
    seconds = seen + request.session.get_session_cookie_age() - int(time.time())
    return JsonResponse({"seconds": max(seconds, 0)})
