"""Which state of its forms a page has shown: nobody vouches for what somebody else typed since."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _

from registry.participants.actions import take_turns
from registry.visits.models import FormEntry


def hold(entries: QuerySet[FormEntry], participant: int | None) -> None:
    """Let nobody else save these entries until the request is through.

    Completing a form plans visits, and so waits its turn for the ``participant`` (id) first. A
    draft, with None, waits for nobody who completes another form.
    """
    if participant is not None:
        take_turns([participant])
    list(entries.order_by("pk").select_for_update().values_list("pk"))


def changed_since(post: QueryDict, entries: Iterable[FormEntry]) -> str:
    """What to say when the page that was sent shows not all ``entries`` as they are; else nothing.

    The page carries each entry's revision (``desk/_shown.html``); saving.js keeps it current.
    """
    if all(post.get(f"revision-{entry.pk}") == str(entry.revision) for entry in entries):
        return ""
    return _("Somebody else changed these forms meanwhile. Look at them, then go on.")
