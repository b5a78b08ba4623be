"""What views catch when something says no."""


class RefusedError(Exception):
    """An action refuses; the message says what, where and what to do. Rooms subclass it.

    ``item`` names the item the message belongs to, if any.
    """

    def __init__(self, message: str, item: str = "") -> None:
        super().__init__(message)
        self.item = item


class ConflictError(Exception):
    """A form that was sent does not fit what is there now, and nothing of it was saved.

    Every view answers it with 409; the message says why.
    """
