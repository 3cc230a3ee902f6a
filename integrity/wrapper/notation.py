"""How bytes, times and errors are written in documents and messages."""

import time


def to_bytes(text: str) -> bytes:
    """The bytes that a string of a document stands for: UTF-8 with surrogate escapes, in every locale."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """How a document holds these bytes: the inverse of ``to_bytes``."""
    return data.decode("utf-8", "surrogateescape")


def clock_ns() -> int:
    """The time of day in nanoseconds since 1970, to the microsecond (time_ns came with Python 3.7)."""
    return int(time.time() * 1000000) * 1000


def time_text(nanoseconds: int) -> str:
    """A time of day in UTC with microseconds: 2026-11-23T05:20:00.123456Z."""
    seconds, rest = divmod(nanoseconds, 1000000000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%06dZ" % (rest // 1000)


def reason(error: OSError) -> str:
    """What the system said, without the path that the sentence around it already has."""
    return error.strerror or str(error)
