"""Where the producer puts a key: the murmur2 partitioner of Kafka's Java client (shared/kafka/config.py)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_32_BITS: Final = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """The hash, from 0 to 2**32 - 1 (org.apache.kafka.common.utils.Utils.murmur2, which is signed)."""
    found = _SEED ^ len(key)
    whole = len(key) & ~3
    for start in range(0, whole, 4):
        part = int.from_bytes(key[start : start + 4], "little") * _M & _32_BITS
        part = (part ^ part >> 24) * _M & _32_BITS
        found = found * _M & _32_BITS ^ part
    if rest := key[whole:]:
        found = (found ^ int.from_bytes(rest, "little")) * _M & _32_BITS
    found = (found ^ found >> 13) * _M & _32_BITS
    return found ^ found >> 15


@lru_cache(maxsize=4096)
def partition_of(key: str, partitions: int) -> int:
    """The partition of a key among so many."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
