"""Where keys are put: as Kafka's own client does (the vectors of its UtilsTest)."""

from __future__ import annotations

import pytest

from shared.kafka.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973_932_308),
        (b"foobar", -790_332_482),
        (b"a-little-bit-long-string", -985_981_536),
        (b"a-little-bit-longer-string", -1_486_304_829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        (b"abc", 479_470_107),
    ],
)
def test_the_hash_is_that_of_the_java_client(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFF_FFFF


def test_a_key_has_one_of_the_partitions() -> None:
    assert {partition_of(f"job {number}", 3) for number in range(50)} == {0, 1, 2}
