"""The processes that one command starts, watches and stops: all of them, however it ends.

Every process carries a mark in its environment that names the folder, and hands it down to its
own children. So what a killed command left behind is found in /proc, whatever its number or name
is, and what is stopped is stopped whole.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

MARK = "SAPHENA_STARTED_FROM"
PATIENCE = 10.0  # seconds in which a process may end by itself


class ProcessError(RuntimeError):
    """What was to run cannot run, or no longer runs; the message is one sentence for people."""


@dataclass
class Child:
    """One process, with its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """The processes of one folder; used by one command at a time.

    As a context it claims the folder (:class:`ProcessError` when another command holds it), and
    on leaving stops everything that was started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.children: list[Child] = []

    def __enter__(self) -> Processes:
        self._lock = open(self.folder / "processes.lock", "a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read().strip()
            self._lock.close()
            raise ProcessError(
                f"It already runs from {self.folder} (process {holder}): stop that first."
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        self.logs.mkdir(exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._lock.close()

    def start(
        self, name: str, *command: str, niceness: int = 0, without: tuple[str, ...] = ()
    ) -> None:
        """Run a Python module, its output in ``logs/<name>.log``, in a session of its own.

        ``without`` names what it does not get of our environment.
        """
        environment = {key: value for key, value in os.environ.items() if key not in without}
        log = self.logs / f"{name}.log"
        nice = ["nice", f"--adjustment={niceness}"] if niceness else []
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own modules
                [*nice, sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment | {MARK: str(self.folder), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C in the terminal reaches the command alone
            )
        self.children.append(Child(name, process, log))

    def check(self) -> None:
        """Raise :class:`ProcessError` naming a process that has ended, and its log."""
        for child in self.children:
            if (code := child.process.poll()) is not None:
                how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
                raise ProcessError(f"The {child.name} has stopped ({how}): see {child.log}")

    def stop(self) -> None:
        """Ask every process to end, wait, and kill what is left."""
        for child in reversed(self.children):
            child.process.terminate()
        deadline = time.monotonic() + PATIENCE
        for child in self.children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
        self.kill_leftovers()
        for child in self.children:
            child.process.wait()
        self.children.clear()

    def kill_leftovers(self) -> int:
        """Kill what still carries the folder's mark; how many those were."""
        killed = set()
        while left := set(self.marked()):
            for number in left:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            killed |= left
            for child in self.children:
                child.process.poll()
            time.sleep(0.02)
        return len(killed)

    def marked(self) -> Iterator[int]:
        """The numbers of the living processes that carry the folder's mark."""
        mark = f"{MARK}={self.folder}".encode()
        for entry in Path("/proc").iterdir():
            # Those of other users, and those that end meanwhile, cannot be read.
            with suppress(OSError, ValueError):
                number = int(entry.name)
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield number
