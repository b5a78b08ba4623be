"""Who asks: the user whom the scope middleware has put on the request."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from registry.access.tokens import SCHEME


class ScopedUser(BaseAuthentication):
    """Take the token's or the session's user, in whose scope the request already runs.

    An ``Authorization`` header decides alone: with one that is no good, no session helps.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        user = request._request.user
        if user.is_authenticated and user.is_active:
            return user, None
        if "Authorization" in request.headers:
            raise AuthenticationFailed(_("The token is unknown, expired or revoked."))
        return None

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class ScopedUserScheme(OpenApiAuthenticationExtension):
    """How the schema describes it."""

    target_class = ScopedUser
    name = ["token", "session"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": f"`{SCHEME} saphena_…`: a token from your account page.",
            },
            {"type": "apiKey", "in": "cookie", "name": "sessionid"},
        ]
