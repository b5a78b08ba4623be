"""The corrected calcium (``forms.md``, laboratory)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal

from django.utils.translation import gettext as _

from registry.core.findings import Finding, Level


def contradictions(
    corrected: Decimal | None,
    expected: tuple[float, float],
    measured: Collection[str],
    confirmed: Collection[str],
) -> Iterator[Finding]:
    """A corrected calcium outside its expected range, in mmol/L.

    Nobody types it, so it counts as confirmed when one of the two ``measured`` values is among
    the items ``confirmed``.
    """
    if corrected is None or set(measured) & set(confirmed):
        return
    low, high = (Decimal(str(end)) for end in expected)
    if not low <= corrected <= high:
        yield Finding(
            Level.INCONSISTENT,
            "calcium_total",
            _(
                "Corrected for albumin the calcium is %(value)s mmol/L: most lie from %(low)s to"
                " %(high)s. Check total calcium and albumin."
            )
            % {"value": f"{corrected:.2f}", "low": f"{low:g}", "high": f"{high:g}"},
            "corrected_calcium_unusual",
        )
