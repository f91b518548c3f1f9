"""Values as JSON text, as nested values of a warehouse are written: one value on one line.

A decimal has all its digits. Times are ISO 8601; binary is Base64; NaN and infinities, which JSON
does not have, are text.
"""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def plain(value: Any) -> str:
    """The JSON of a value that has no parts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else quoted(_not_finite(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return quoted(_moment(value))
    if isinstance(value, date):
        return quoted(value.isoformat())
    if isinstance(value, bytes):
        return quoted(base64.b64encode(value).decode())
    return quoted(str(value))


def key(text: str) -> str:
    """A JSON value as the key of an object: JSON has text alone as keys."""
    return text if text.startswith('"') else quoted(text)


def quoted(text: str) -> str:
    """A JSON string."""
    return json.dumps(text, ensure_ascii=False)


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
