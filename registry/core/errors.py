"""The one thing pages catch when an action says no."""


class RefusedError(Exception):
    """An action refuses; the message says what, where and what to do. Rooms subclass it.

    ``item`` names the item the message belongs to, if any.
    """

    def __init__(self, message: str, item: str = "") -> None:
        super().__init__(message)
        self.item = item
