"""Who else has a visit open: remembered for a moment, locking nobody out."""

from __future__ import annotations

import time

from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import render

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs

from .visit import visible_visit

STAYS_S = 45  # two polls of 20 s, and some


@needs(Permission.VIEW)
def presence(request: UserRequest, pk: int) -> HttpResponse:
    """The names of the others in the visit; asking says that one is there oneself."""
    visit = visible_visit(request, pk, Permission.VIEW)
    key, now = f"presence:{visit.pk}", time.time()
    there = {
        user: (name, at)
        for user, (name, at) in cache.get(key, {}).items()
        if now - at < STAYS_S and user != request.user.pk
    }
    cache.set(key, there | {request.user.pk: (request.user.name, now)}, STAYS_S)
    others = sorted(name for name, _at in there.values())
    return render(request, "desk/_presence.html", {"others": others})
