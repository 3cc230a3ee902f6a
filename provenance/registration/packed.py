"""Long sequences in little memory: all but the newest values are kept pickled and compressed, a block at a time.

A million files to register take more than a gigabyte as objects of Python, and a tenth of it so. A sequence that is
short stays as it is and costs nothing. It never leaves the process: nobody else's pickles are read.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, overload

T = TypeVar("T")

_BLOCK = 1 << 14
"""Values: so many objects are in memory besides what is packed."""


class Packed(Sequence[T]):
    """A sequence that only grows. Values are what pickle takes; those that come out are equal, not the same."""

    __slots__ = ("_blocks", "_last", "_open")

    def __init__(self, values: Iterable[T] = ()) -> None:
        self._blocks: list[tuple[int, bytes]] = []
        self._open: list[T] = []
        self._last: tuple[int, list[T]] = (-1, [])
        for value in values:
            self.append(value)

    def append(self, value: T) -> None:
        """Add a value at the end."""
        if len(self._open) == _BLOCK:
            self._blocks.append(_packed(self._open))
            self._open = []
        self._open.append(value)

    def __len__(self) -> int:
        return len(self._blocks) * _BLOCK + len(self._open)

    def __iter__(self) -> Iterator[T]:
        return self.between(0, len(self))

    def between(self, start: int, stop: int) -> Iterator[T]:
        """The values from one position (from 0) up to another, one block of them in memory at a time."""
        for number in range(start // _BLOCK, -(-stop // _BLOCK)):
            first = number * _BLOCK
            yield from itertools.islice(self._block(number), max(start - first, 0), stop - first)

    def taken(self) -> Iterator[T]:
        """All values, for the last time: what was passed is given up, and at the end nothing is left."""
        self._last = (-1, [])
        self._blocks.reverse()
        while self._blocks:
            yield from _unpacked(*self._blocks.pop())
        values, self._open = self._open, []
        yield from values

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        positions = range(len(self))[index]
        if isinstance(positions, range):
            return [self[position] for position in positions]
        number, place = divmod(positions, _BLOCK)
        if number != self._last[0]:
            self._last = (number, self._block(number))
        return self._last[1][place]

    def _block(self, number: int) -> list[T]:
        return _unpacked(*self._blocks[number]) if number < len(self._blocks) else self._open


def _packed(values: list[T]) -> tuple[int, bytes]:
    """How long the pickle is, and the pickle, compressed."""
    import pyarrow as pa  # late: what is short needs none

    data = pickle.dumps(values, protocol=pickle.HIGHEST_PROTOCOL)
    return len(data), pa.compress(data, codec="zstd", asbytes=True)


def _unpacked(size: int, data: bytes) -> list[T]:
    import pyarrow as pa

    values: list[T] = pickle.loads(pa.decompress(data, decompressed_size=size, codec="zstd", asbytes=True))
    return values
