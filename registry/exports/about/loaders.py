"""Snippets that open a dataset with its types and labels: for Python, R and Stata."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.template.loader import render_to_string

from .codebook import DescribedTable
from .stata import do_file

READ_BY = {
    "load.py": ("csv", "parquet"),
    "load.R": ("csv", "parquet"),
    "load.do": ("csv",),
}
"""Loader → the formats of which it needs one."""


def loaders(formats: Collection[str], described: Sequence[DescribedTable]) -> dict[str, str]:
    """File → its text, of the loaders that can read one of the formats."""
    texts = {
        "load.py": render_to_string("exports/dataset/load.py"),
        "load.R": render_to_string("exports/dataset/load.R"),
        "load.do": do_file(described),
    }
    return {name: texts[name] for name in readable(formats)}


def readable(formats: Collection[str]) -> list[str]:
    """The loaders that can read one of the formats."""
    return [name for name, read in READ_BY.items() if set(read) & set(formats)]
