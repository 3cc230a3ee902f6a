"""SHA-256 of few bytes without OpenSSL: loading that takes 4 ms, half as long as an interpreter's whole start.

CPython's own gives the same digests at a fifth of the speed: with few bytes less time than the loading. Where a Python
comes without it (as for FIPS 140), it is OpenSSL's from the first byte.
"""

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import _Hash

LIGHT_BYTES = 1 << 20  # of this process, together: CPython's own takes for them what loading OpenSSL takes

_light_bytes_left = LIGHT_BYTES


def _own() -> "Callable[[], _Hash]":
    try:
        from _sha2 import sha256  # type: ignore[import-not-found]  # from Python 3.12 on
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found]
        except ImportError:
            from hashlib import sha256
    made: "Callable[[], _Hash]" = sha256
    return made


_light = _own()


def sha256(about: int) -> "_Hash":
    """The digest of nothing yet, to be updated with ``about`` so many bytes."""
    global _light_bytes_left
    _light_bytes_left -= about
    return _light() if _light_bytes_left >= 0 else by_openssl()


def by_openssl() -> "_Hash":
    """The same by OpenSSL, as soon as it is worth it; who forks wrappers loads it once for all of them."""
    import hashlib

    return hashlib.sha256()


def digest_of(data: bytes) -> str:
    """The digest of these bytes, in hex."""
    made = sha256(len(data))
    made.update(data)
    return made.hexdigest()
