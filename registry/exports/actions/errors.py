"""What an action on datasets refuses."""

from registry.core.errors import RefusedError


class ExportError(RefusedError):
    """A dataset cannot be asked for, approved, built or downloaded; the message says why."""
