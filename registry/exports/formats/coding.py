"""How statistics packages hold columns: short names, numbers with labels in the place of codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ..profiles import Column

NAME: Final = 32  # characters of a name in Stata and in SAS; SPSS takes 64 bytes
STEM = 4


def short(name: str) -> str:
    """The name, its words cut to four letters from the first on until it fits."""
    words = name.split("_")
    for place, word in enumerate(words):
        if len("_".join(words)) <= NAME:
            break
        words[place] = word[:STEM]
    return "_".join(words)


def unique(names: Iterable[str]) -> dict[str, str]:
    """Name → what it is called within the limits: no two alike, capital letters or not."""
    called: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        fits, number = short(name)[:NAME], 1
        while fits.lower() in taken:
            number += 1
            ending = f"_{number}"
            fits = short(name)[: NAME - len(ending)] + ending
        called[name] = fits
        taken.add(fits.lower())
    return called


def are_numbers(codes: Iterable[str]) -> bool:
    return all(code.isdigit() for code in codes)


def numbers(choices: Mapping[str, str]) -> dict[str, int]:
    """Code → the number that stands for it: its own if all are numbers, else counted from 1."""
    if are_numbers(choices):
        return {code: int(code) for code in choices}
    return {code: number for number, code in enumerate(choices, 1)}


def labelled(column: Column) -> str:
    """The column's label with its unit."""
    return f"{column.label} [{column.unit}]" if column.unit else column.label


def label(column: Column, most: int) -> str:
    """The same, cut at ``most`` characters."""
    text = labelled(column)
    return text if len(text) <= most else text[: most - 1] + "…"
