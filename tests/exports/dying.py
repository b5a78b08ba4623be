"""A worker that kills itself amid a task, and the sweep that finds what it left.

It dies by SIGKILL, as the kernel or an operator would do it, in an interpreter of its own: a
process that has threads and connections, as the one of the tests, cannot be forked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from django.conf import settings
from django.db import connections

from .. import databases

# Models are imported once Django is set up.
COMMAND = """
import sys, django
django.setup()
from tests.exports import dying
dying.work(*sys.argv[1:])
"""
PATIENCE = 60  # seconds for PostgreSQL to notice


def kill(task: Any, *numbers: int, after: str, given: str = "", scratch: Path) -> None:
    """Run a task on the test's database and files until the function ``after`` has returned.

    ``after`` is its full name. Where ``given`` is a pattern, the call is meant that got a text of
    this pattern. ``scratch`` is the worker's folder of temporary files.
    """
    database = connections["default"].settings_dict["NAME"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, database, after, given, task.name, *map(str, numbers)],
        cwd=settings.BASE_DIR,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "MEDIA_ROOT": settings.MEDIA_ROOT,
            "DISCLOSURE_K_SAFE_HARBOR": str(settings.DISCLOSURE_K["safe_harbor"]),
            "TMPDIR": str(scratch),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def work(database: str, after: str, given: str, task: str, *numbers: str) -> None:
    """The worker's part of :func:`kill`."""
    databases.use(database)
    place, _, name = after.rpartition(".")
    owner = resolve_name(place)
    function = getattr(owner, name)

    def last(*args: Any, **about: Any) -> Any:
        result = function(*args, **about)
        texts = [one for one in (*args, *about.values()) if isinstance(one, str)]
        if not given or any(fnmatchcase(one, given) for one in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, last)
    resolve_name(task)(*map(int, numbers))


def sweep_until(found: Callable[[], bool]) -> None:
    """Sweep until the death is found: PostgreSQL frees the lock as soon as it notices."""
    from registry.exports import tasks

    deadline = time.monotonic() + PATIENCE
    tasks.sweep_builds()
    while not found():
        assert time.monotonic() < deadline, f"The sweep found no death for {PATIENCE} s."
        time.sleep(0.1)
        tasks.sweep_builds()
