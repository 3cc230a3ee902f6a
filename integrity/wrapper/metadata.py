"""What the job wrote about itself."""

from integrity.wrapper.notation import to_text
from integrity.wrapper.paths import open_regular

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any

METADATA_LIMIT_BYTES = 1 << 20
HALF_CHARACTERS = "".join(chr(code) for code in range(0xDC80, 0xDD00))  # what a cut through a character leaves behind


def read_metadata(path: "bytes | None") -> "dict[str, Any] | None":
    """What the job wrote about itself, cut at 1 MiB; None: nothing, or nothing that is a regular file."""
    if path is None:
        return None
    try:
        with open(path, "rb", opener=open_regular) as file:
            data = file.read(METADATA_LIMIT_BYTES + 1)
    except OSError:
        return None
    text = to_text(data[:METADATA_LIMIT_BYTES])
    if len(data) > METADATA_LIMIT_BYTES:
        return {"text": text.rstrip(HALF_CHARACTERS), "truncated": True}
    return {"text": text, "truncated": False}
