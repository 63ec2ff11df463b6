"""What a data directory keeps between starts: the ports of its servers and its secrets (mode 0600)."""

from __future__ import annotations

import base64
import json
import os
import random
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

# Below the range that Linux (32768) and macOS (49152) take outgoing ports from: otherwise any connection on the
# machine could take a server's port while it is restarted, and a client could even connect to itself.
_FIRST: Final = 15_000
_LAST: Final = 32_000


def write_json(path: Path, value: Any, mode: int = 0o600) -> None:
    """Write a file that a reader sees either as it was or complete."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty when there is none or it is damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


_claims: Final[dict[int, int]] = {}
"""The file descriptors of the ports that this process holds; never closed, so they are no objects."""
_claims_mutex: Final = threading.Lock()


def claim(port: int) -> bool:
    """Keep a loopback port for this process until it ends; False when another stack of the machine has it.

    Between the choice of a port and the moment that a server listens there seconds can pass, in which another stack
    would choose it as well. So who chooses holds the UDP port of the same number, which no server here uses: the
    kernel gives it to one process, and takes it back however that one ends.
    """
    with _claims_mutex:
        if port in _claims:
            return True
        claimed = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claimed.bind(("127.0.0.1", port))
        except OSError:
            claimed.close()
            return False
        _claims[port] = claimed.detach()
        return True


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do, so that connections of an earlier run in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(taken: Iterable[int] = ()) -> int:
    """A loopback port that nobody listens on, that is not in ``taken``, and that is this process's by :func:`claim`."""
    avoid = {*taken, *_claims}
    while True:
        port = random.randint(_FIRST, _LAST)
        if port not in avoid and is_free(port) and claim(port):
            return port


class PortsAndSecrets:
    """The ports and secrets of one data directory. Each is chosen once and kept; may be called from several threads."""

    def __init__(self, data_dir: Path) -> None:
        self._ports_file = data_dir / "ports.json"
        self._secrets_file = data_dir / "secrets.json"
        # The servers are prepared in threads.
        self._mutex = threading.Lock()

    def ports(self, names: Iterable[str], preferred: Mapping[str, int] | None = None) -> dict[str, int]:
        """A port for each name, which is kept: the one of before, else the ``preferred`` one, else any that is free."""
        with self._mutex:
            kept = read_json(self._ports_file)
            chosen: dict[str, int] = {}
            for name in names:
                port = kept.get(name, (preferred or {}).get(name))
                if not isinstance(port, int) or port in chosen.values() or not (is_free(port) and claim(port)):
                    port = free_port([*chosen.values(), *(p for p in kept.values() if isinstance(p, int))])
                chosen[name] = port
            write_json(self._ports_file, {**kept, **chosen})
            return chosen

    def secret(self, name: str, prefix: str = "") -> str:
        """The secret of this name; made the first time: ``prefix`` and 256 random bits, URL-safe."""
        return self._kept(name, lambda: prefix + secrets.token_urlsafe(32))

    def key(self, name: str, prefix: str = "") -> str:
        """The key of this name; made the first time: ``prefix`` and the base64 of 32 random bytes."""
        return self._kept(name, lambda: prefix + base64.b64encode(secrets.token_bytes(32)).decode())

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        with self._mutex:
            kept = read_json(self._secrets_file)
            if not isinstance(kept.get(name), str):
                kept[name] = make()
                write_json(self._secrets_file, kept)
            return str(kept[name])
