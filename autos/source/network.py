"""Name, TCP and TLS of one address, each within its time. Standard library, so that nothing of ours can be at fault."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from autos.source.diagnoses import ConnectionFailure, Diagnosis, of_connection_failure

STEP_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class SourceHost:
    """Where an address leads: ``secure`` for https."""

    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, url: str) -> SourceHost:
        """Raises ValueError for a port that is none."""
        parts = urlsplit(url)
        secure = parts.scheme.lower() == "https"
        return cls(parts.hostname or "", parts.port or (443 if secure else 80), secure)


def steps(target: SourceHost) -> Iterator[tuple[str, Diagnosis]]:
    """Name, TCP, TLS; ends after the first that fails."""
    count = _addresses(target)
    yield (
        "name",
        of_connection_failure(count)
        if isinstance(count, ConnectionFailure)
        else Diagnosis(True, f"{target.host}: {count} address(es)"),
    )
    if isinstance(count, ConnectionFailure):
        return
    connection = _connected(target)
    if isinstance(connection, ConnectionFailure):
        yield "tcp", of_connection_failure(connection)
        return
    with connection:
        yield "tcp", Diagnosis(True, f"port {target.port} answers")
        if not target.secure:
            yield "tls", Diagnosis(None, "not used: the address begins with http://")
            return
        spoken = _spoken(connection, target.host)
        yield "tls", of_connection_failure(spoken) if isinstance(spoken, ConnectionFailure) else Diagnosis(True, spoken)


def _addresses(target: SourceHost) -> int | ConnectionFailure:
    found: queue.Queue[int | ConnectionFailure] = queue.Queue()

    def ask() -> None:
        try:
            found.put(
                len({info[4][0] for info in socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)})
            )
        except (OSError, UnicodeError):
            found.put(ConnectionFailure.NO_NAME)

    # A resolver cannot be told to end: its thread ends with the process.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return found.get(timeout=STEP_SECONDS)
    except queue.Empty:
        return ConnectionFailure.NO_NAME


def _connected(target: SourceHost) -> socket.socket | ConnectionFailure:
    try:
        return socket.create_connection((target.host, target.port), timeout=STEP_SECONDS)
    except TimeoutError:
        return ConnectionFailure.TIMEOUT
    except ConnectionRefusedError:
        return ConnectionFailure.REFUSED
    except OSError:
        return ConnectionFailure.UNREACHABLE


def _spoken(connection: socket.socket, host: str) -> str | ConnectionFailure:
    """The version of TLS. The connection is closed."""
    try:
        with ssl.create_default_context().wrap_socket(connection, server_hostname=host) as secured:
            return f"{secured.version()}, the certificate is the host's"
    except ssl.SSLCertVerificationError:
        return ConnectionFailure.CERTIFICATE
    except TimeoutError:
        return ConnectionFailure.TIMEOUT
    except (ssl.SSLEOFError, ConnectionError):
        return ConnectionFailure.BROKEN
    except (ssl.SSLError, OSError):
        return ConnectionFailure.TLS
