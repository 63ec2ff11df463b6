"""What is done to the containers of a cluster: killed, paused, cut off, deaf on one side, a line that loses packets.

Root only: the network of a container is changed from its host.
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tests.containers.cluster import late
from tests.containers.deployment import ROOT, Deployment
from tests.support import wait_until

BROKERS: Final = ("kafka", "kafka-2", "kafka-3")
DATABASES: Final = ("postgres", "postgres-2")
_DESCRIBE_QUORUM: Final = 55
_ANSWER_SECONDS: Final = 3.0
_PROMOTION_SECONDS: Final = 30.0


class NotHere(Exception):
    """The kernel or the rights of this machine do not allow a fault. The message is one line."""


@dataclass(frozen=True)
class Cluster:
    """Verbs for the containers of a deployment; ``service`` names the first container, ``service/2`` the second."""

    deployment: Deployment

    @cached_property
    def _containers(self) -> dict[str, list[str]]:
        return {}

    @cached_property
    def _holders(self) -> dict[str, subprocess.Popen[bytes]]:
        return {}

    def container(self, name: str) -> str:
        """The container's id, which a kill does not change."""
        service, _, number = name.partition("/")
        if service not in self._containers:
            self._containers[service] = self.deployment.containers(service)
        return self._containers[service][int(number or 1) - 1]

    def kill(self, name: str) -> None:
        """kill -9 of all of the container; nobody starts it again (Docker counts it as asked for)."""
        self.deployment.docker("kill", self.container(name))

    def start(self, name: str) -> None:
        self.deployment.docker("start", self.container(name))

    def pause(self, name: str) -> None:
        """It stands still: its connections stay open and answer nothing."""
        self.deployment.docker("pause", self.container(name))

    def unpause(self, name: str) -> None:
        self.deployment.docker("unpause", self.container(name))

    def cut(self, name: str) -> None:
        """Take it off the network."""
        self.deployment.docker("network", "disconnect", self._network, self.container(name))

    def heal(self, name: str) -> None:
        """Put it back on the network, under its name; its address may be another one."""
        service = name.partition("/")[0]
        self.deployment.docker("network", "connect", "--alias", service, self._network, self.container(name))

    def deafen(self, name: str, to: Sequence[str]) -> None:
        """It no longer hears what these send; they hear it (one direction is cut)."""
        self._in_network_of(name, "iptables", "-I", "INPUT", "-s", self._addresses(to), "-j", "DROP")

    def lose(self, name: str, to: Sequence[str], share: float) -> None:
        """So much of what these send to it is lost (0.05: one packet of twenty). Raises NotHere."""
        dice = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        self._in_network_of(name, "iptables", "-I", "INPUT", "-s", self._addresses(to), *dice, "-j", "DROP")

    def hear(self, name: str) -> None:
        """No more of it: every packet arrives."""
        self._in_network_of(name, "iptables", "-F", "INPUT")

    def delay(self, name: str, to: Sequence[str], milliseconds: int) -> None:
        """What it sends to these takes so much longer (late.py: netem is in few kernels). Raises NotHere."""
        words = [*self._entry(name), sys.executable, "-m", late.__name__, str(milliseconds)]
        holder = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._holders[name] = holder
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            self.no_delay(name)
            raise NotHere("packets cannot be held: the kernel has no queue of netfilter")
        queue = ("-j", "NFQUEUE", "--queue-num", str(late.QUEUE), "--queue-bypass")
        self._in_network_of(name, "iptables", "-I", "OUTPUT", "-d", self._addresses(to), *queue)

    def no_delay(self, name: str) -> None:
        """All of it goes out at once again."""
        if (holder := self._holders.pop(name, None)) is None:
            return
        self._in_network_of(name, "iptables", "-F", "OUTPUT")
        # Closes its stdin: what it still holds goes on.
        holder.communicate(timeout=10)

    def address(self, name: str) -> str:
        """The container's address in the project's network."""
        return self._addresses([name])

    def _addresses(self, names: Sequence[str]) -> str:
        shape = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        containers = [self.container(name) for name in names]
        return ",".join(self.deployment.docker("inspect", "--format", shape, *containers).split())

    @property
    def _network(self) -> str:
        return f"{self.deployment.project}_default"

    def _entry(self, name: str) -> list[str]:
        """The words before a command that runs in a container's network, on this machine's files."""
        if shutil.which("nsenter") is None:
            raise NotHere("nsenter is not installed")
        return ["nsenter", "--target", str(self.deployment.inspect(self.container(name))["State"]["Pid"]), "--net"]

    def _in_network_of(self, name: str, *command: str) -> None:
        if shutil.which(command[0]) is None:
            raise NotHere(f"{command[0]} is not installed")
        words = [*self._entry(name), *command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise NotHere(f"{' '.join(command[:3])}: {(done.stderr.strip() or '?').splitlines()[0]}")

    # Who is who.

    def controller(self) -> str:
        """The broker that leads the quorum of controllers."""

        def led() -> str | None:
            for name in BROKERS:
                try:
                    number = _leader_of_the_quorum(self.address(name))
                except (OSError, struct.error, KeyError):
                    continue
                if number > 0:
                    return BROKERS[number - 1]
            return None

        leader = wait_until(led, what="a leader of the controllers")
        assert leader is not None
        return leader

    def query(self, name: str, statement: str) -> str:
        """What the database of a node says, by psql inside of its container. Raises AssertionError."""
        words = ("exec", "-u", "postgres", self.container(name), "psql", "-XAt", "-U", "postgres", "-c", statement)
        return self.deployment.docker(*words).strip()

    def primary(self) -> str:
        """The node that takes writes."""

        def found() -> str | None:
            for name in DATABASES:
                try:
                    if self.query(name, "SELECT pg_is_in_recovery()") == "f":
                        return name
                except AssertionError:
                    continue
            return None

        name = wait_until(found, _PROMOTION_SECONDS, "a primary")
        assert name is not None
        return name

    def standby_of(self, primary: str) -> str:
        return next(name for name in DATABASES if name != primary)

    def promote(self, name: str) -> None:
        """Make a standby the primary; the old one must be stopped before."""
        assert self.query(name, "SELECT pg_promote(true, 30)") == "t"

    def is_in_sync(self) -> bool:
        """Whether commits wait for a standby, and it follows."""
        found = self.query(self.primary(), "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
        return "sync" in found.split()


def _leader_of_the_quorum(address: str) -> int:
    """Ask a broker (Kafka's DescribeQuorum, version 0); the node's number, or less than 1 while there is none."""
    name = b"__cluster_metadata"
    partitions = b"\x02" + struct.pack(">i", 0) + b"\x00"
    body = b"\x02" + bytes([len(name) + 1]) + name + partitions + b"\x00" + b"\x00"
    head = struct.pack(">hhih", _DESCRIBE_QUORUM, 0, 1, -1) + b"\x00"
    with socket.create_connection((address, 9092), timeout=_ANSWER_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        with connection.makefile("rb") as answer:
            (length,) = struct.unpack(">i", answer.read(4))
            found = answer.read(length)
    # Correlation id, tags; error, one topic by name, one partition: number, error, leader.
    (error,) = struct.unpack_from(">h", found, 5)
    if error != 0:
        return -1
    leader = 5 + 2 + 1 + 1 + len(name) + 1 + 4 + 2
    return int(struct.unpack_from(">i", found, leader)[0])
