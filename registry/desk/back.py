"""Back to the list one came from, at the row just handled or, when it is gone, at the next one.

The session keeps the address of the list seen last and the place of each row: the visit or the
participant it is about. Browsers keep no page of ours (``no-store``), so the server says which row
gets the focus.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.http import urlencode

from registry.visits.models import Visit

LIST = "list"


def at_visit(pk: int) -> str:
    return f"visit-{pk}"


def at_participant(pk: int) -> str:
    return f"participant-{pk}"


def remember(request: HttpRequest, places: list[str]) -> int | None:
    """Keep a page of a list, and say which of its rows gets the focus, counted from 0.

    ``places`` are the rows' in order; ``?at=`` names the one that was handled.
    """
    asked = request.GET.copy()
    handled = (asked.pop("at", None) or [""])[-1]
    former = request.session.get(LIST, {}).get("places", [])
    query = asked.urlencode()
    path = f"{request.path}?{query}" if query else request.path
    if request.session.get(LIST) != (seen := {"path": path, "places": places}):
        request.session[LIST] = seen
    if handled not in former or not places:
        return None
    onward = former[former.index(handled) :]
    return next((places.index(place) for place in onward if place in places), 0)


def back_to_list(request: HttpRequest, visit: Visit) -> str:
    """The address of the list seen last, at the row of ``visit``; empty when it has none."""
    seen = request.session.get(LIST, {})
    for place in (at_visit(visit.pk), at_participant(visit.participant_id)):
        if place in seen.get("places", []):
            path: str = seen["path"]
            return f"{path}{'&' if '?' in path else '?'}{urlencode({'at': place})}"
    return ""
