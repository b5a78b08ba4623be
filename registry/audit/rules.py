"""The fingerprint by which a signature or a verification is bound to what was seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def fingerprint(values: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, over canonical JSON of ``values``.

    Canonical: keys in order, no blanks, numbers with the decimals they are stored with, dates as
    ISO. The same values give the same fingerprint on every machine.
    """
    text = json.dumps(
        values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
