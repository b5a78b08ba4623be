"""The ankle-brachial pressure index (``forms.md``, examination; ``domain.md`` B6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from registry.core.findings import Finding, Level

# One set of limits for notices and checks.
ABPI_LOW, ABPI_HIGH = Decimal("0.8"), Decimal("1.3")


@dataclass(frozen=True)
class Abpi:
    """An index with its comparator (=, <, >)."""

    value: Decimal
    comparator: str = "="

    @property
    def low(self) -> bool:
        """Whether it surely lies below 0.8."""
        if self.comparator == "<":
            return self.value <= ABPI_LOW
        return self.comparator == "=" and self.value < ABPI_LOW

    @property
    def high(self) -> bool:
        """Whether it surely lies above 1.3."""
        if self.comparator == ">":
            return self.value >= ABPI_HIGH
        return self.comparator == "=" and self.value > ABPI_HIGH

    @property
    def notice(self) -> str:
        """What stands beside the item outside the limits; it is no finding."""
        if self.low:
            return _("Below 0.8: arterial disease is likely, compression needs care.")
        if self.high:
            return _("Above 1.3: the arteries may be calcified, read it with the toe pressure.")
        return ""


def contradictions(abpi: Abpi | None, incompressible: bool | None) -> Iterator[Finding]:
    """An index above 1.3 without incompressible arteries, or the reverse, is asked about."""
    if abpi is None:
        return
    if abpi.high and not incompressible:
        yield Finding(
            Level.INCONSISTENT,
            "abpi",
            _("The ABPI lies above 1.3, but the arteries are not marked as incompressible."),
            "abpi_high_but_compressible",
        )
    if incompressible and not abpi.high:
        yield Finding(
            Level.INCONSISTENT,
            "incompressible",
            _("The arteries are marked as incompressible, but the ABPI does not lie above 1.3."),
            "incompressible_but_abpi_not_high",
        )
