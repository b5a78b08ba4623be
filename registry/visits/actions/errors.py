"""What the actions of visits refuse with."""

from __future__ import annotations

from django.utils.translation import gettext as _

from registry.core.errors import RefusedError


class VisitError(RefusedError):
    """A visit or form cannot be written; the message says why and what to do."""


class StaleError(VisitError):
    """Somebody saved the form since it was opened."""

    def __init__(self) -> None:
        super().__init__(
            _("Somebody else saved this form since you opened it. Compare, then save again.")
        )
