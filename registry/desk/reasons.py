"""Why completed answers change: asked once a save, for all of them or one by one."""

from __future__ import annotations

from django.http import QueryDict
from django.utils.translation import gettext_noop as _

# Code on the page → words in the history, which are the same in every language.
REASONS = {
    "slip": _("Typing slip"),
    "new": _("New information"),
    "source": _("Source corrected"),
    "query": _("Answer to a query"),
}


def reason_of(post: QueryDict, changes: list[tuple[str, str, str, str]]) -> str:
    """The reason for the history: the preset, the text, and what is said of single items.

    Empty when none was given for all.
    """
    words = [REASONS.get(post.get("why", ""), ""), post.get("reason", "").strip()]
    whole = ": ".join(word for word in words if word)
    if not whole:
        return ""
    single = [
        f"{label}: {own}"
        for control, label, _old, _new in changes
        if (own := post.get(f"why-{control}", "").strip())
    ]
    return "; ".join([whole, *single])
