"""Health: 200 with a line for database, broker and worker; 503 naming what is down."""

from __future__ import annotations

from collections.abc import Callable

import redis
from celery import current_app
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

WAIT_S = 2


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _broker() -> bool:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=WAIT_S, socket_timeout=WAIT_S
    )
    return bool(client.ping())


def _worker() -> bool:
    return bool(current_app.control.ping(timeout=1, limit=1))


PARTS: dict[str, Callable[[], bool]] = {
    "database": _database,
    "broker": _broker,
    "worker": _worker,
}


def health(request: HttpRequest) -> HttpResponse:
    """A line for each part; nothing about why, since anyone may ask."""
    up = {}
    for name, ask in PARTS.items():
        try:
            up[name] = ask()
        except Exception:  # any failure means down
            up[name] = False
    lines = [f"{name}: {'up' if is_up else 'DOWN'}" for name, is_up in up.items()]
    return HttpResponse(
        "\n".join(lines) + "\n",
        content_type="text/plain",
        status=200 if all(up.values()) else 503,
    )
