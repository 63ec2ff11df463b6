"""Requests to the broker by kind, from its own log of requests, which is switched on while it runs.

The log is Kafka's ``kafka.request.logger``: at level DEBUG a line of JSON for each request. The level is set with
IncrementalAlterConfigs (API key 44) for the resource BROKER_LOGGER (8), which librdkafka's admin client does not know.
"""

from __future__ import annotations

import re
import socket
import struct
from collections import Counter
from collections.abc import Iterable
from typing import Final

from tools.bench.registry import BenchmarkFailed

_LOGGER: Final = "kafka.request.logger"
_BROKER_LOGGER: Final = 8
_KIND: Final = re.compile(r'"requestApiKeyName":"(\w+)"')
_CLIENT: Final = re.compile(r'"clientId":"([^"]*)"')
_TOPIC: Final = re.compile(r'"topicData":\[\{"name":"([^"]+)"')
_TIMEOUT_SECONDS: Final = 30.0
# The broker's own requests to itself and its controller.
_INTERNAL: Final = frozenset({"BROKER_HEARTBEAT", "FETCH_SNAPSHOT", "VOTE", "BEGIN_QUORUM_EPOCH", "API_VERSIONS"})


def log_requests(address: str, on: bool) -> None:
    """Switch the log of requests on or off. ``address`` is host:port. Raises BenchmarkFailed."""
    host, _, port = address.rpartition(":")
    body = level_request(_LOGGER, "DEBUG" if on else "ERROR")
    with socket.create_connection((host, int(port)), _TIMEOUT_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        answer = _exactly(connection, struct.unpack(">i", _exactly(connection, 4))[0])
    # Correlation id, throttle time, number of answers, and of the first its error code.
    code = struct.unpack_from(">iiih", answer)[3]
    if code:
        raise BenchmarkFailed(f"the broker does not log its requests: error {code}")


def level_request(logger: str, level: str) -> bytes:
    """IncrementalAlterConfigs, version 0: set the level of this logger of broker 1."""
    header = struct.pack(">hhi", 44, 0, 1) + _string("bench")
    resource = struct.pack(">ib", 1, _BROKER_LOGGER) + _string("1")
    change = struct.pack(">i", 1) + _string(logger) + struct.pack(">b", 0) + _string(level)
    return header + resource + change + struct.pack(">b", 0)


def requests(lines: Iterable[str]) -> Counter[str]:
    """How many requests of each kind; the writing ones by topic too, since librdkafka sends one for each partition.

    The broker's own are left out.
    """
    found: Counter[str] = Counter()
    for line in lines:
        kind, client = _KIND.search(line), _CLIENT.search(line)
        if kind is None or kind.group(1) in _INTERNAL or (client and client.group(1).startswith("raft-client")):
            continue
        found["Kafka requests"] += 1
        found[f"Kafka requests: {kind.group(1)}"] += 1
        if topic := _TOPIC.search(line):
            found[f"Kafka requests: PRODUCE to {topic.group(1)}"] += 1
    return found


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        piece = connection.recv(size - len(received))
        if not piece:
            raise BenchmarkFailed("the broker closed the connection on which its log was to be switched")
        received += piece
    return received
