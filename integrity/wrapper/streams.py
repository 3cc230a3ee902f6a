"""The command's standard streams: files, or pipes that are read while it runs, of which the end is kept."""

import errno
import os
import select
import stat

from integrity.wrapper.description import Step
from integrity.wrapper.errors import CODE_NOT_RUNNABLE, UnpreparedError
from integrity.wrapper.notation import reason, to_text
from integrity.wrapper.paths import open_regular

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any

A_PIPE = "it is a named pipe; expected a regular file or a device"
PIPE_BYTES = 1 << 16  # what a pipe holds


class Streams:
    """The command's standard input, output and error: ``ends`` are what it gets, ``pipes`` what the wrapper reads."""

    def __init__(self, step: Step, tail_bytes: int) -> None:
        self.ends: "list[int]" = []
        self.pipes: "dict[int, Tail]" = {}
        self._held: "dict[int, int]" = {}  # pipes that are not read while what came out of them is not taken on
        self._terminals: "list[int]" = []
        self.tails = {
            "stdout": Tail(tail_bytes, self._onward(1) if step.passthrough else -1),
            "stderr": Tail(tail_bytes, self._onward(2) if step.passthrough else -1),
        }
        self._files = {"stdout": step.stdout, "stderr": step.stderr}
        try:
            if step.passthrough and step.stdin is None:
                self.ends.append(os.dup(0))
            else:
                self.ends.append(self._open(step.stdin or b"/dev/null", "stdin", os.O_RDONLY))
            self._output("stdout")
            if step.stderr is not None and step.stderr == step.stdout:
                self.ends.append(os.dup(self.ends[1]))  # one file, one position: neither writes over the other
            else:
                self._output("stderr")
        except OSError as error:
            self.close()
            raise UnpreparedError("cannot make the standard streams: %s" % reason(error), CODE_NOT_RUNNABLE) from error
        except UnpreparedError:
            self.close()
            raise

    def _onward(self, descriptor: int) -> int:
        """Where to write what is passed on to an open file. A terminal that says it has room may have less than one
        write needs, and a shell shares it: it is opened anew, not to wait there.
        """
        if not os.isatty(descriptor):
            return descriptor
        try:
            opened = os.open("/proc/self/fd/%d" % descriptor, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return descriptor  # it is another user's, as after su
        self._terminals.append(opened)
        return opened

    def _output(self, name: str) -> None:
        path = self._files[name]
        if path is not None:
            self.ends.append(self._open(path, name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW))
            return
        reader, writer = os.pipe()
        self.ends.append(writer)
        self.pipes[reader] = self.tails[name]
        os.set_blocking(reader, False)

    def _open(self, path: bytes, name: str, flags: int) -> int:
        try:
            if flags & os.O_CREAT:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            return open_at_once(path, flags)
        except OSError as error:
            raise UnpreparedError("cannot open %r as %s: %s" % (to_text(path), name, reason(error))) from error

    def close_ends(self) -> None:
        """Close what the command has got."""
        for descriptor in self.ends:
            os.close(descriptor)
        self.ends = []

    def close(self) -> None:
        """Close everything: nobody has got it, or it has been read."""
        self.close_ends()
        for descriptor in (*self.pipes, *self._terminals):
            os.close(descriptor)
        self.pipes, self._terminals = {}, []

    def watch(self, poll: "Any") -> None:
        """Have a poll say when there is something for `ready`."""
        for descriptor in self.pipes:
            poll.register(descriptor, select.POLLIN)

    def ready(self, descriptor: int, poll: "Any") -> None:
        """Take what is there, and pass it on. While a reader does not take it the pipe is left alone: the command waits
        for that reader, as in any pipeline, and nobody else does.
        """
        pipe = self._held.pop(descriptor, descriptor)
        tail = self.pipes[pipe]
        goes_on = self._read(pipe) if pipe == descriptor else self._pass_on(pipe)
        if not goes_on or tail.waits or pipe != descriptor:
            poll.unregister(descriptor)
        if goes_on and tail.waits:
            self._held[tail.onward] = pipe
            poll.register(tail.onward, select.POLLOUT)
        elif goes_on and pipe != descriptor:
            poll.register(pipe, select.POLLIN)

    def _read(self, pipe: int) -> bool:
        """Take what is there; False at the end of the pipe, which is then closed."""
        try:
            chunk = os.read(pipe, PIPE_BYTES)
        except BlockingIOError:
            return True
        if not chunk:
            return self._close(pipe)
        self.pipes[pipe].add(chunk)
        return self._pass_on(pipe)

    def _pass_on(self, pipe: int) -> bool:
        """False once nobody reads what is passed on: the pipe is closed, by which the command hears of it."""
        return self.pipes[pipe].pass_on() or self._close(pipe)

    def _close(self, pipe: int) -> bool:
        os.close(pipe)
        del self.pipes[pipe]
        return False

    def drain(self) -> None:
        """Take what the ended processes left in the pipes, without waiting for anyone who still holds one open."""
        for descriptor in list(self.pipes):
            tail = self.pipes[descriptor]
            size = -1
            while descriptor in self.pipes and tail.size != size:
                size = tail.size
                self._read(descriptor)

    def behind(self) -> "list[int]":
        """Where what was written last is to go, and cannot now."""
        return [tail.onward for tail in self.tails.values() if tail.pass_on() and tail.waits]

    def documents(self) -> "dict[str, Any]":
        """What the record says of both streams."""
        for name, path in self._files.items():
            if path is not None:
                self.tails[name].read_file(path)
        return {name: tail.document() for name, tail in self.tails.items()}


def open_at_once(path: bytes, flags: int) -> int:
    """Open what a command is to read from or write to. Raises OSError, for a named pipe too: it would wait for its
    other end, which no signal and no limit of the job's time could cut short.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):
            raise OSError(errno.ENXIO, A_PIPE) from None  # nobody reads from it
        raise
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, A_PIPE)
    os.set_blocking(descriptor, True)
    return descriptor


def _has_room(descriptor: int) -> bool:
    """Whether a write would take something, or fail, at once."""
    poll = select.poll()  # select(2) knows no number above 1023
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))


class Tail:
    """The last ``limit`` bytes of a stream, and how many bytes there were; all of it is passed on to ``onward``, where
    that is an open file (it is less than 0 otherwise). ``waits``: some of it was not taken yet.
    """

    def __init__(self, limit: int, onward: int) -> None:
        self.limit = limit
        self.onward = onward
        self.size = 0
        self._data = bytearray()
        self._rest = bytearray()

    @property
    def waits(self) -> bool:
        """Whether some of it is still to be passed on."""
        return bool(self._rest)

    def add(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        self.size += len(chunk)
        self._data += chunk
        if len(self._data) > 2 * self.limit:
            del self._data[: len(self._data) - self.limit]
        if self.onward >= 0:
            self._rest += chunk

    def pass_on(self) -> bool:
        """Pass on what can be without waiting; False where nobody reads it any more."""
        try:
            while self._rest and _has_room(self.onward):
                # So much fits into a pipe that has room at all; of more the rest would be waited for.
                del self._rest[: os.write(self.onward, self._rest[: select.PIPE_BUF])]
        except BlockingIOError:
            return True  # somebody has made it non-blocking
        except OSError:
            self._rest.clear()
            return False
        return True

    def read_file(self, path: bytes) -> None:
        """Take the end of a file; one that is gone or unreadable counts as empty (its output entry says why)."""
        try:
            with open(path, "rb", opener=open_regular) as file:
                self.size = file.seek(0, os.SEEK_END)
                file.seek(max(0, self.size - self.limit))
                self._data = bytearray(file.read(self.limit))
        except OSError:
            return

    def document(self) -> "dict[str, Any]":
        """The record's form: text where it is UTF-8, else base64."""
        data = bytes(self._data[max(0, len(self._data) - self.limit) :])
        if len(data) < self.size:
            # The cut may have gone through a character: drop the rest of it.
            cut = 0
            while cut < min(3, len(data)) and data[cut] & 0xC0 == 0x80:
                cut += 1
        else:
            cut = 0
        try:
            return {"size": self.size, "text": data[cut:].decode("utf-8")}
        except UnicodeDecodeError:
            import binascii

            return {"size": self.size, "base64": binascii.b2a_base64(data, newline=False).decode("ascii")}
