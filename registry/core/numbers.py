"""Reading a typed number: the same in every language (``ux.md`` rules 14, 15, 17)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from django.utils.translation import gettext as _

_SHAPE = re.compile(r"(?P<comparator>[=<>]?)(?P<sign>-?)(?P<whole>\d*)(?:[.,](?P<part>\d+))?")
LONGEST = 16  # characters; longer ones are slips, and no column holds them
_THOUSANDS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")

_WHOLE = re.compile(r"[0-9]{1,18}")  # no more than a key can be


class UnreadableError(ValueError):
    """What was typed cannot be read, or can be read in two ways; the message says what to do."""


@dataclass(frozen=True)
class Number:
    """A number with its comparator (``=``, ``<``, ``>``)."""

    comparator: str
    value: Decimal


def read_number(text: str, possible: tuple[float, float] | None = None) -> Number:
    """Read one number, with ``,`` or ``.`` as decimal sign and no thousands separator.

    A text that could mean 1.5 or 1500 (``1.500``) is asked about, unless only one of the two is
    ``possible``. Raises :class:`UnreadableError`.
    """
    typed = unicodedata.normalize("NFKC", text).strip()
    bare = typed[:1] + typed[1:].lstrip() if typed[:1] in "=<>" else typed
    shape = _SHAPE.fullmatch(bare)
    if not shape or not (shape["whole"] or shape["part"]) or len(bare) > LONGEST:
        raise UnreadableError(
            _("“%(text)s” cannot be read as a number. Type digits, with one comma or dot.")
            % {"text": text.strip()}
        )
    # As many decimals as were typed: what was typed is kept beside a converted value.
    value = Decimal(f"{shape['sign']}{shape['whole'] or 0}.{shape['part'] or ''}")
    digits = bare.lstrip("=<>-")
    if _THOUSANDS.fullmatch(digits):
        thousands = Decimal(shape["sign"] + digits.replace(".", "").replace(",", ""))
        fits = [
            one
            for one in (value, thousands)
            if possible and Decimal(str(possible[0])) <= one <= Decimal(str(possible[1]))
        ]
        if len(fits) != 1:
            raise UnreadableError(
                _("“%(text)s” can mean %(one)s or %(other)s. Type it without the separator.")
                % {"text": typed, "one": f"{value.normalize():f}", "other": thousands}
            )
        value = fits[0]
    return Number(shape["comparator"] or "=", value)


def convert(value: Decimal, unit: str, stored: str, also: Mapping[str, float]) -> Decimal:
    """``value`` in ``unit`` turned into the ``stored`` unit (``also``: unit → factor)."""
    return value if unit == stored else value * Decimal(str(also[unit]))


def rounded(value: Decimal, places: int) -> Decimal:
    """``value`` with ``places`` decimals, as its column keeps it."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def in_unit(number: Number, unit: str, wanted: str, stored: str, also: Mapping[str, float]) -> str:
    """``number`` typed in ``unit``, as it would be typed in the ``wanted`` unit.

    It keeps as many digits as it had, at least three.
    """
    factor = Decimal(str(also.get(wanted, 1)))
    value = convert(number.value, unit, stored, also) / factor
    digits = max(3, len(number.value.as_tuple().digits))
    shown = Decimal(f"{value:.{digits}g}")
    return f"{'' if number.comparator == '=' else number.comparator}{plain(shown)}"


def plain(value: Decimal) -> str:
    """``value`` without exponent and without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def show_number(comparator: str, value: Decimal, unit: str) -> str:
    """A number with its comparator, unless it is ``=``, and its unit."""
    return f"{'' if comparator == '=' else comparator + ' '}{plain(value)} {unit}".strip()


def read_whole(text: str) -> int:
    """A key or count in a link or hidden field; 0, which no row's key is, for any other text."""
    return int(text) if _WHOLE.fullmatch(text) else 0
