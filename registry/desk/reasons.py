"""Why completed answers change: asked once a save, for all of them or one by one."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext_noop as _

# Code on the page → words in the history, which are the same in every language.
REASONS = {
    "slip": _("Typing slip"),
    "new": _("New information"),
    "source": _("Source corrected"),
    "query": _("Answer to a query"),
}


@dataclass(frozen=True)
class Change:
    """What would change in a completed record: old and new in words, and a reason of its own."""

    control: str
    label: str
    old: str
    new: str
    why: str


def reason_of(post: QueryDict, changes: list[Change]) -> str:
    """The reason for the history: the preset, the text, and what is said of single items.

    Empty when none was given for all.
    """
    words = [REASONS.get(post.get("why", ""), ""), post.get("reason", "").strip()]
    whole = ": ".join(word for word in words if word)
    if not whole:
        return ""
    single = [f"{one.label}: {one.why}" for one in changes if one.why]
    return "; ".join([whole, *single])
