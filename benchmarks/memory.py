"""How much memory a process had."""

from __future__ import annotations

import re
from pathlib import Path


def peak() -> float:
    """The most memory that this process has had, in megabytes.

    Not from ``getrusage``, which counts the memory of the process that started this one.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024
