"""Making the next thing while the present one waits for somebody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections

Item = TypeVar("Item")
Result = TypeVar("Result")

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")


def one_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Like :func:`map`, but a thread makes the next result while the last one is used.

    The thread has a database connection of its own, so that it sees nothing uncommitted.
    """
    present: Future[Result] | None = None
    for item in items:
        coming = _thread.submit(_run, function, item)
        if present:
            yield present.result()
        present = coming
    if present:
        yield present.result()


def _run(function: Callable[[Item], Result], item: Item) -> Result:
    close_old_connections()
    return function(item)
