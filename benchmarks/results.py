"""Where figures land: ``docs/benchmarks.md``, each measurement between two marks of its own."""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def put(name: str, lines: list[str]) -> None:
    """Put ``lines`` of Markdown where the text says that the results of ``name`` stand."""
    mark = f"<!-- results of {name} -->"
    before, _mark, rest = RESULTS.read_text().partition(mark)
    after = rest.partition(mark)[2]
    results = "\n".join(["", *lines, ""])
    RESULTS.write_text(f"{before}{mark}\n{results}\n{mark}{after}")
