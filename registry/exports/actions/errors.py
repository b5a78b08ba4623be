"""What an action on datasets refuses, and how the failure of a build is told."""

from django.utils.translation import gettext as _

from registry.core.errors import RefusedError


class ExportError(RefusedError):
    """A dataset cannot be asked for, approved, built or downloaded; the message says why."""


def reason_of(error: Exception) -> str:
    """What the page says. Errors of the database may quote a row, so only their kind is told."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, OSError):
        return _("The file could not be written: %(reason)s.") % {"reason": error.strerror}
    return _("The build stopped with an internal error (%(kind)s).") % {
        "kind": type(error).__name__
    }
