"""Telling how far a build is while its own transaction is open."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from django.db import connections

TOLD_EVERY = 1.0  # seconds between two writes of progress


class Progress:
    """Writes progress down at most once a second, and at each new stage.

    A thread of its own does: what the builder's connection writes is seen by nobody until it ends.
    """

    def __init__(self, write: Callable[[str, int], None]) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(1)
        self._stage, self._told = "", 0.0

    def tell(self, stage: str, done: int) -> None:
        if stage != self._stage or time.monotonic() - self._told > TOLD_EVERY:
            self._thread.submit(self._write, stage, done)
            self._stage, self._told = stage, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.submit(connections.close_all)
        self._thread.shutdown()
