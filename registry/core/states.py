"""Every state as icon, word and colour: the same everywhere, and never colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

# code: (icon of lucide, word); the colour is the code's class in saphena.css.
STATES = {
    # visits
    "planned": ("calendar", _("Planned")),
    "due": ("calendar-clock", _("Due")),
    "overdue": ("clock-alert", _("Overdue")),
    "attended": ("user-check", _("Attended")),
    "missed": ("calendar-x", _("Missed")),
    "cancelled": ("ban", _("Cancelled")),
    # forms
    "empty": ("circle-dashed", _("Not started")),
    "draft": ("pencil-line", _("In progress")),
    "complete": ("circle-check", _("Complete")),
    "verified": ("badge-check", _("Verified")),
    "query": ("message-circle-question-mark", _("Needs an answer")),
    "signed": ("signature", _("Signed")),
    "locked": ("lock", _("Locked")),
    # data queries
    "new": ("message-circle-question-mark", _("New")),
    "answered": ("message-circle", _("Answered")),
    "closed": ("message-circle-check", _("Closed")),
    # mails, datasets
    "claimed": ("send", _("Sending")),
    "sent": ("mail-check", _("Sent")),
    "asked": ("hourglass", _("Waiting for approval")),
    "approved": ("check", _("Approved")),
    "returned": ("undo-2", _("Returned")),
    "queued": ("hourglass", _("Queued")),
    "building": ("loader", _("Building")),
    "ready": ("package-check", _("Ready")),
    "failed": ("circle-x", _("Failed")),
    "deleted": ("trash-2", _("Deleted")),
}


@dataclass(frozen=True)
class State:
    """A state as it is shown."""

    code: str
    icon: str
    word: str


def show_state(code: str) -> State:
    """The icon and word of a state's ``code``."""
    icon, word = STATES[code]
    return State(code, icon, gettext(word))
