"""Builds in a process of their own, as the dataset worker's; it says the most memory it had.

Imports no more than that worker does.
"""

from __future__ import annotations

import sys

from benchmarks.memory import peak
from registry.exports import actions
from registry.exports.models import DatasetRequest
from tests import databases


def main(name: str, request: int, times: int) -> None:
    databases.use(name)
    for _ in range(times):
        dataset = actions.build_now(request=DatasetRequest.objects.get(pk=request))
        assert dataset.state == "ready", dataset.error
    print(peak())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
