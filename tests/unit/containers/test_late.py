"""What is said to the kernel's queue of packets, and what it says."""

from __future__ import annotations

import struct

import pytest

from tests.containers.cluster.late import message, packets


def told(number: int) -> bytes:
    """A packet as the kernel tells of it: its device and its mark besides, which nobody reads."""
    head = struct.pack("=HH", 11, 1) + struct.pack(">IHB", number, 0x800, 3) + b"\0"
    attributes = struct.pack("=HHI", 8, 3, 7) + head
    body = struct.pack(">BBH", 2, 0, 7) + attributes + struct.pack("=HHI", 8, 5, 1)
    return struct.pack("=IHHII", 16 + len(body), 3 << 8, 0, 0, 0) + body


def test_packets_are_told_several_at_once() -> None:
    assert list(packets(told(4) + told(5) + told(70_000))) == [4, 5, 70_000]


def test_an_acknowledgement_is_no_packet_and_a_refusal_is_an_error() -> None:
    def answer(error: int) -> bytes:
        return struct.pack("=IHHIIi", 36, 2, 0, 0, 0, error) + bytes(16)

    assert list(packets(answer(0))) == []
    with pytest.raises(PermissionError):
        list(packets(answer(-1)))


def test_a_message_has_its_length_and_is_padded() -> None:
    sent = message((3 << 8) | 2, (2, b"\0\0\0\0\1"))
    assert len(sent) == struct.unpack_from("=I", sent)[0] == 16 + 4 + 12
    assert struct.unpack_from("=HH", sent, 20) == (9, 2)
