"""The registry's time, moved by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone


class Clock:
    """Stands at ``now`` (aware) until it is moved.

    It stands behind ``timezone.now`` itself, which columns hold as their default.
    """

    def __init__(self, monkeypatch: Any, now: datetime) -> None:
        self.now = now
        clock = self

        class Stopped(datetime):
            @classmethod
            def now(cls, tz=None):
                return clock.now.astimezone(tz)

        monkeypatch.setattr(timezone, "datetime", Stopped)
