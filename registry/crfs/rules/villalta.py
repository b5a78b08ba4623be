"""Grade of the Villalta score (``domain.md`` B3)."""

from __future__ import annotations

GRADES = ((15, "severe"), (10, "moderate"), (5, "mild"), (0, "none"))


def grade(total: int | None, *, open_venous_ulcer: bool) -> str | None:
    """``none`` under 5, ``mild`` to 9, ``moderate`` to 14, else ``severe``.

    An open venous ulcer makes it severe whatever the total. None without either.
    """
    if open_venous_ulcer:
        return "severe"
    if total is None:
        return None
    return next(name for least, name in GRADES if total >= least)
