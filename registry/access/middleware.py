"""Every request of a signed-in user runs in one transaction, in that user's scope.

What is sent with text that PostgreSQL could not keep is refused before any view looks at it.
"""

from __future__ import annotations

import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from . import tokens
from .scope import user_scope


class TextMiddleware:
    """Refuse addresses, parameters and fields with a NUL character.

    No keyboard types one, and a filter or a draft that held one would fail in the database.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> None:
        sent = [*request.GET.lists(), *request.POST.lists()]
        if "\0" in request.path or any("\0" in text for _name, texts in sent for text in texts):
            raise BadRequest("NUL character")


class ScopeMiddleware:
    """Open the scope, and roll everything back when the view raised or answered 5xx.

    Django turns a view's exception into a response before it gets here, so without
    :meth:`process_exception` half a write would be committed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/") and "Authorization" in request.headers:
            request.user = tokens.user_of(request) or AnonymousUser()
        if not request.user.is_authenticated:
            return self.get_response(request)
        with user_scope(request.user, request=str(uuid.uuid4())), _clock_of(request.user):
            response = self.get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
        add_never_cache_headers(response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if transaction.get_connection().in_atomic_block:
            transaction.set_rollback(True)


def _clock_of(user: Any) -> Any:
    """The time zone of the user's own site; UTC for those of several sites or none."""
    zones = {m.site.time_zone for m in user.memberships.all() if m.site_id}
    return timezone.override(zoneinfo.ZoneInfo(zones.pop() if len(zones) == 1 else "UTC"))
