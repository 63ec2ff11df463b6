"""Holds packets back: ``nsenter --target PID --net python -m tests.containers.cluster.late MILLISECONDS``.

For kernels without netem. A rule of iptables puts packets into a queue of netfilter (NFQUEUE), and this program lets
each of them go on so much later, in order (linux/netfilter/nfnetlink_queue.h). It says "ready" when it listens, and
lets go of everything and ends when its stdin is closed. Root only.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

QUEUE: Final = 7
_NETFILTER: Final = 12
_PACKET, _CONFIG, _VERDICTS = (3 << 8) | 0, (3 << 8) | 2, (3 << 8) | 3
_BIND: Final = b"\x01\x00\x00\x00"
_COPY_NO_BYTES: Final = b"\x00\x00\x00\x00\x01"
_MOST_PACKETS: Final = 65_535
_ACCEPT: Final = 1
_RECEIVE_BUFFER_FORCE: Final = 33


def message(kind: int, *attributes: tuple[int, bytes], acknowledge: bool = False) -> bytes:
    """A message to the queue: netlink's head, netfilter's head, attributes."""
    body = struct.pack(">BBH", 0, 0, QUEUE)
    for number, value in attributes:
        body += struct.pack("=HH", 4 + len(value), number) + value + b"\x00" * (-len(value) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 5 if acknowledge else 1, 0, 0) + body


def packets(data: bytes) -> Iterator[int]:
    """The numbers of the packets that an answer of the kernel tells of. Raises OSError for a refusal."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if kind == 2:
            (error,) = struct.unpack_from("=i", data, 16)
            if error != 0:
                raise OSError(-error, "the queue of netfilter refuses")
        elif kind == _PACKET:
            at = 20
            while at + 4 <= length:
                size, number = struct.unpack_from("=HH", data, at)
                if number == 1:
                    yield struct.unpack_from(">I", data, at + 4)[0]
                at += max(4, size + -size % 4)
        data = data[length + -length % 4 :]


def hold(seconds: float) -> None:
    """Hold every packet of the queue for so long, until stdin is closed."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as queue:
        queue.bind((0, 0))
        queue.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, 16 << 20)
        for attribute in ((1, _BIND), (2, _COPY_NO_BYTES), (3, struct.pack(">I", _MOST_PACKETS))):
            queue.send(message(_CONFIG, attribute, acknowledge=True))
            list(packets(queue.recv(65_536)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        held: deque[tuple[float, int]] = deque()
        while True:
            wait = max(0.0, held[0][0] - time.monotonic()) if held else None
            readable, _, _ = select.select([queue, sys.stdin], [], [], wait)
            if queue in readable:
                due = time.monotonic() + seconds
                held.extend((due, number) for number in packets(queue.recv(1 << 20)))
            ended = sys.stdin in readable
            last = None
            while held and (ended or held[0][0] <= time.monotonic()):
                last = held.popleft()[1]
            if last is not None:
                # Of a series: this packet, and all that came before it.
                queue.send(message(_VERDICTS, (2, struct.pack(">II", _ACCEPT, last))))
            if ended:
                return


if __name__ == "__main__":
    hold(float(sys.argv[1]) / 1000)
