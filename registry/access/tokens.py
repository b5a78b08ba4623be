"""API tokens: named, expiring, shown once, stored as SHA-256 only."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.utils import timezone

if TYPE_CHECKING:
    from .models import User

SCHEME = "Token"
_PREFIX = "saphena_"


def new_token() -> tuple[str, str]:
    """A fresh token and the digest to store."""
    token = _PREFIX + secrets.token_urlsafe(32)
    return token, digest(token)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def user_of(request: HttpRequest) -> User | None:
    """The active user whose valid token the request's Authorization header carries."""
    from .models import ApiToken

    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != SCHEME or not token:
        return None
    now = timezone.now()
    found = (
        ApiToken.objects.select_related("user")
        .filter(digest=digest(token.strip()), expires_at__gt=now, user__is_active=True)
        .first()
    )
    if not found:
        return None
    if found.last_used_at is None or _old(found.last_used_at, now):
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found.user


def _old(used_at: datetime, now: datetime) -> bool:
    return now - used_at > timedelta(minutes=5)
