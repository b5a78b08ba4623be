"""What an action on datasets refuses, and how the failure of a build is told."""

import logging
import traceback

from django.utils.translation import gettext as _

from registry.core.errors import RefusedError

log = logging.getLogger(__name__)


class ExportError(RefusedError):
    """A dataset cannot be asked for, approved, built or downloaded; the message says why."""


def log_failure(what: str, error: Exception) -> None:
    """Log where ``what`` failed, but not what the error says: its message may quote a row."""
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", what, type(error).__name__, where)


def reason_of(error: Exception) -> str:
    """What the page says. Errors of the database may quote a row, so only their kind is told."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, OSError):
        return _("The file could not be written: %(reason)s.") % {"reason": error.strerror}
    return _("The build stopped with an internal error (%(kind)s).") % {
        "kind": type(error).__name__
    }
