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

from autos.source.diagnoses import Diagnosis, Trouble, of_trouble

STEP_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address leads: ``secure`` for https."""

    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, url: str) -> Place:
        """Raises ValueError for a port that is none."""
        parts = urlsplit(url)
        secure = parts.scheme.lower() == "https"
        return cls(parts.hostname or "", parts.port or (443 if secure else 80), secure)


def steps(place: Place) -> Iterator[tuple[str, Diagnosis]]:
    """Name, TCP, TLS; ends after the first that fails."""
    count = _addresses(place)
    yield (
        "name",
        of_trouble(count) if isinstance(count, Trouble) else Diagnosis(True, f"{place.host}: {count} address(es)"),
    )
    if isinstance(count, Trouble):
        return
    connection = _connected(place)
    if isinstance(connection, Trouble):
        yield "tcp", of_trouble(connection)
        return
    with connection:
        yield "tcp", Diagnosis(True, f"port {place.port} answers")
        if not place.secure:
            yield "tls", Diagnosis(None, "not used: the address begins with http://")
            return
        spoken = _spoken(connection, place.host)
        yield "tls", of_trouble(spoken) if isinstance(spoken, Trouble) else Diagnosis(True, spoken)


def _addresses(place: Place) -> int | Trouble:
    found: queue.Queue[int | Trouble] = queue.Queue()

    def ask() -> None:
        try:
            found.put(len({info[4][0] for info in socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)}))
        except (OSError, UnicodeError):
            found.put(Trouble.NO_NAME)

    # A resolver cannot be told to end: its thread ends with the process.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return found.get(timeout=STEP_SECONDS)
    except queue.Empty:
        return Trouble.NO_NAME


def _connected(place: Place) -> socket.socket | Trouble:
    try:
        return socket.create_connection((place.host, place.port), timeout=STEP_SECONDS)
    except TimeoutError:
        return Trouble.TIMEOUT
    except ConnectionRefusedError:
        return Trouble.REFUSED
    except OSError:
        return Trouble.UNREACHABLE


def _spoken(connection: socket.socket, host: str) -> str | Trouble:
    """The version of TLS. The connection is closed."""
    try:
        with ssl.create_default_context().wrap_socket(connection, server_hostname=host) as secured:
            return f"{secured.version()}, the certificate is the host's"
    except ssl.SSLCertVerificationError:
        return Trouble.CERTIFICATE
    except TimeoutError:
        return Trouble.TIMEOUT
    except (ssl.SSLEOFError, ConnectionError):
        return Trouble.BROKEN
    except (ssl.SSLError, OSError):
        return Trouble.TLS
