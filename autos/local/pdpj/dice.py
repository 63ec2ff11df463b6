"""Reproducible choices: the same seed gives the same choices on every Python version and machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")

_BLOCK_BYTES = 64


class Dice:
    """Choices drawn from BLAKE2b of the seed and a counter.

    ``random.Random`` is stable only for ``random()``; expected SHA-256 sums must not change with the interpreter.
    """

    __slots__ = ("_counter", "_offset", "_pool", "_seed")

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._counter = 0
        self._pool = b""
        self._offset = 0

    def _take(self, count: int) -> bytes:
        if self._offset + count > len(self._pool):
            salt = self._counter.to_bytes(8, "big")
            self._pool = hashlib.blake2b(self._seed, salt=salt, digest_size=_BLOCK_BYTES).digest()
            self._counter += 1
            self._offset = 0
        taken = self._pool[self._offset : self._offset + count]
        self._offset += count
        return taken

    def below(self, bound: int) -> int:
        """An integer in ``0 <= x < bound``; the bias of the modulo is far below what a simulator shows."""
        return int.from_bytes(self._take(8), "big") % bound

    def between(self, low: int, high: int) -> int:
        """An integer in ``low <= x <= high``."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of 100 cases."""
        return self.below(100) < percent

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def uuid(self) -> UUID:
        """A UUID of version 5, as the source's are."""
        return UUID(bytes=self._take(16), version=5)
