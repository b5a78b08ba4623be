"""Telling how far a build is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connections

TOLD_EVERY = 1.0  # seconds between two writes of progress

Tell = Callable[[str, int], None]


def seldom(write: Callable[[str, int], object]) -> Tell:
    """Call ``write(stage, done)`` at most once a second, and at each new stage."""
    last, told = "", 0.0

    def tell(stage: str, done: int) -> None:
        nonlocal last, told
        if stage != last or time.monotonic() - told > TOLD_EVERY:
            write(stage, done)
            last, told = stage, time.monotonic()

    return tell


@contextmanager
def beside(write: Tell) -> Iterator[Tell]:
    """The same, by a thread of its own.

    What the builder's connection writes is seen by nobody until its transaction ends.
    """
    with ThreadPoolExecutor(1) as thread:
        try:
            yield seldom(lambda stage, done: thread.submit(write, stage, done))
        finally:
            thread.submit(connections.close_all)
