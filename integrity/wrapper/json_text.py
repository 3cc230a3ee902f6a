"""JSON, without what the module ``json`` imports: it takes half as long as the interpreter's whole start.

CPython's own scanner and encoder, which do the work behind that module, are taken as they are (``_json``, the same from
3.6 on). Wherever they are missing, called otherwise, or find anything wrong, the module itself has the last word.
"""

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any

WHITESPACE = " \t\n\r"  # of RFC 8259


class _Options:
    """What ``json.JSONDecoder`` tells the scanner, with its defaults."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float  # of NaN, Infinity and -Infinity


def parse(text: str) -> "Any":
    """What ``json.loads`` makes of a text. Raises ValueError, RecursionError."""
    try:
        from _json import make_scanner

        inner = text.strip(WHITESPACE)
        value, end = make_scanner(_Options())(inner, 0)  # type: ignore[arg-type]
        if end == len(inner):
            return value
    except (ImportError, AttributeError, TypeError, ValueError, StopIteration, SystemError):
        pass  # told below, in the words of the module, without which the scanner has none (SystemError)
    import json

    return json.loads(text)


def unparse(document: "Any") -> str:
    """A document of texts, numbers, lists, objects, as ASCII in one line without spaces. Raises ValueError for NaN."""
    try:
        from _json import encode_basestring_ascii, make_encoder

        encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ":", ",", False, False, False)
        return "".join(encode(document, 0))
    except (ImportError, TypeError):
        import json

        return json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _refuse(value: object) -> "Any":
    raise TypeError("%r has no form in JSON" % (value,))
