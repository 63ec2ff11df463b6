"""The address of a client behind proxies that are trusted. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from shared.settings import Network

_HOPS: Final = 20


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str | None:
    """The nearest address that is no trusted proxy: the peer's, or one of ``X-Forwarded-For``, from its end.

    What stands before that one was written by somebody who is not trusted, so it is not looked at. ``forwarded_for``
    are the values of the header in their order. Without trusted proxies it is the peer's.
    """
    if peer is None or not _is_trusted(peer, trusted):
        return peer
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",")][-_HOPS:]
    nearest = peer
    for hop in reversed(hops):
        try:
            nearest = str(ipaddress.ip_address(hop))
        except ValueError:
            return nearest
        if not _is_trusted(nearest, trusted):
            return nearest
    return nearest


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in trusted)
