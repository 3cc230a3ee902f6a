"""Values of answers as JSON has them: digests as hex, times in ISO 8601 with ``Z``, decimal numbers with every digit.

Not-a-number and infinities, which JSON does not have, are the texts ``.nan``, ``.inf`` and ``-.inf``.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import re

from query.terminal_text import DECEIVING

_UNSHOWN = re.compile(f"[\x7f-\x9f\u2028\u2029{DECEIVING}]")
"""What JSON may hold as it is and a terminal obeys; the other control characters are escaped in JSON anyway."""

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def plain(value: object) -> object:
    """A value as JSON has it: digests as hex, times as text, NaN and infinities as text; lists and objects
    throughout.
    """
    match value:
        case bytes():
            return value.hex()
        case dt.datetime():
            return time_text(value)
        case float():
            return value if math.isfinite(value) else odd_float(value)
        case dict():
            return {str(key): plain(element) for key, element in value.items()}
        case list() | tuple():
            return [plain(element) for element in value]
        case _:
            return value


def time_text(time: dt.datetime) -> str:
    """ISO 8601 in UTC with ``Z``, with microseconds where there are any."""
    return time.astimezone(dt.UTC).isoformat().removesuffix("+00:00") + "Z"


def odd_float(value: float) -> str:
    """What stands for a number that JSON does not have."""
    return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"


def json_text(value: object, indent: int | None = None) -> str:
    """A JSON text of any value: readable, and safe to be looked at."""
    if indent is not None:
        text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=indent)
    else:
        text = exact_json(plain(value))
    return _UNSHOWN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def exact_json(value: object) -> str:
    """A JSON text of a plain value, in one line. Numbers have as many digits as they need, which the library's encoder
    grants to integers only.
    """
    try:
        return _JSON.encode(value)
    except TypeError:  # for the rare value with a decimal number in it
        return _with_decimals(value)


def _with_decimals(value: object) -> str:
    match value:
        case decimal.Decimal():
            return digits(value)
        case dict():
            return (
                f"{{{', '.join(f'{_JSON.encode(key)}: {_with_decimals(element)}' for key, element in value.items())}}}"
            )
        case list():
            return f"[{', '.join(map(_with_decimals, value))}]"
        case _:
            return _JSON.encode(value)


def digits(value: decimal.Decimal) -> str:
    """A decimal number as it is, never in powers of ten."""
    return f"{value:f}"
