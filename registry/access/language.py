"""In which language a page speaks.

A page that claims a language has no English left in it, so only pages that are translated as a
whole follow the reader: those that a site's own people can reach, and signing in. The others, and
everything that programs read, are in English. Data are the same in every language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

from .roles import POLICY, Role

TRANSLATED = POLICY[Role.COORDINATOR] | POLICY[Role.INVESTIGATOR] | POLICY[Role.VIEWER]
OF_EVERYBODY = ("home", "tokens", "account_")  # URL names, or their beginning


class LanguageMiddleware:
    """Speak the signed-in user's language, or the one the browser asks for, where translated."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with translation.override(settings.LANGUAGE_CODE):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or "")
        patch_vary_headers(response, ("Accept-Language",))
        return response

    def process_view(self, request: HttpRequest, view: Any, *arguments: Any) -> None:
        if is_translated(request, view):
            translation.activate(language_of(request))


def is_translated(request: HttpRequest, view: Any) -> bool:
    """Whether the page speaks other languages than English."""
    match = request.resolver_match
    assert match is not None
    permissions = getattr(view, "permissions", ())
    return bool(TRANSLATED & set(permissions)) or (match.url_name or "").startswith(OF_EVERYBODY)


def language_of(request: HttpRequest) -> str:
    """The language of the reader: chosen by the user, else by the browser."""
    if request.user.is_authenticated:
        return request.user.language
    return translation.get_language_from_request(request)
