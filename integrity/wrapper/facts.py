"""What a record says of the user, the host and the wrapper itself."""

import os
import sys

from integrity.wrapper import MODULES
from integrity.wrapper.content import FOLDER_HEADER
from integrity.wrapper.sha256 import digest_of

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = "1"


_user_names: "dict[int, str]" = {}
_facts: "dict[str, Any]" = {}


def user_name(uid: int) -> str:
    """The name of a user, or the number where nobody knows a name."""
    if uid not in _user_names:
        import pwd

        try:
            _user_names[uid] = pwd.getpwuid(uid).pw_name
        except KeyError:
            _user_names[uid] = str(uid)
    return _user_names[uid]


def facts() -> "Mapping[str, Any]":
    """What is true of every attempt by this user on this machine; who forks wrappers asks once for all of them."""
    if not _facts:
        _facts.update(_look())
    return _facts


def _look() -> "dict[str, Any]":
    uname = os.uname()
    page_size = os.sysconf("SC_PAGE_SIZE")
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "user": user_name(os.getuid()),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "umask": "%04o" % umask,
        "hostname": uname.nodename,
        "hostaddr": _host_address(),
        "machine": {
            "uname": {
                "system": uname.sysname,
                "nodename": uname.nodename,
                "release": uname.release,
                "version": uname.version,
                "machine": uname.machine,
            },
            "page_size": page_size,
            "ram_total": page_size * os.sysconf("SC_PHYS_PAGES"),
            "cpu_count": os.cpu_count(),
        },
        "wrapper": {"version": VERSION, "python": sys.version.split()[0], **own_digests()},
    }


def own_digests() -> "dict[str, str | None]":
    """What these modules are, measured: the digest of a folder (wrapper/content.py) that holds their sources alone, and
    that of the archive where they came in one, the byte code that ran included.
    """
    folder = os.path.dirname(__file__)
    manifest = [FOLDER_HEADER]
    loader = globals()["__loader__"]
    read = loader.get_data  # from a folder or from an archive
    for name in sorted("%s.py" % name for name in ("__init__", *MODULES)):
        source = read(os.path.join(folder, name))
        manifest.append(("%s  %s\0" % (digest_of(source), name)).encode())
    archive = getattr(loader, "archive", None)
    archive_sha256 = None if archive is None else digest_of(read_whole(archive))
    return {"sha256": digest_of(b"".join(manifest)), "archive_sha256": archive_sha256}


def read_whole(path: str) -> bytes:
    """All bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


def _host_address() -> "str | None":
    """The address that this host sends from: connecting a datagram socket sends nothing and asks no name server."""
    import _socket  # what `socket` is made of: that takes 5 ms to import, for servers and files that nobody wants here

    try:
        probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    except OSError:
        return None
    try:
        probe.connect(("192.0.2.1", 9))  # TEST-NET-1 of RFC 5737: never a real host
        return str(probe.getsockname()[0])
    except OSError:
        return None
    finally:
        probe.close()
