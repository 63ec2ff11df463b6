"""Address blocks that no webhook receiver of the public internet can have: the rows, each with its source.

The first two tables are the rows of the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190),
also those that are "globally reachable": they hold relays, anycast services and identifiers, never a receiver. The
others are multicast, and forms of IPv6 that are deprecated or carry an IPv4 address through a translator or a tunnel.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar


class Block(NamedTuple):
    """A block, what it is for, and the document that says so."""

    network: str
    name: str
    source: str


REGISTRY_V4: Final = (
    Block("0.0.0.0/8", "this network", "RFC 791, section 3.2"),
    Block("0.0.0.0/32", "this host on this network", "RFC 1122, section 3.2.1.3"),
    Block("10.0.0.0/8", "private use", "RFC 1918"),
    Block("100.64.0.0/10", "shared address space (carrier-grade NAT)", "RFC 6598"),
    Block("127.0.0.0/8", "loopback", "RFC 1122, section 3.2.1.3"),
    Block("169.254.0.0/16", "link-local, where clouds keep their metadata", "RFC 3927"),
    Block("172.16.0.0/12", "private use", "RFC 1918"),
    Block("192.0.0.0/24", "IETF protocol assignments", "RFC 6890, section 2.1"),
    Block("192.0.0.0/29", "IPv4 service continuity prefix", "RFC 7335"),
    Block("192.0.0.8/32", "IPv4 dummy address", "RFC 7600"),
    Block("192.0.0.9/32", "port control protocol anycast", "RFC 7723"),
    Block("192.0.0.10/32", "TURN anycast", "RFC 8155"),
    Block("192.0.0.170/32", "NAT64/DNS64 discovery", "RFC 8880"),
    Block("192.0.0.171/32", "NAT64/DNS64 discovery", "RFC 8880"),
    Block("192.0.2.0/24", "documentation (TEST-NET-1)", "RFC 5737"),
    Block("192.31.196.0/24", "AS112", "RFC 7535"),
    Block("192.52.193.0/24", "AMT", "RFC 7450"),
    Block("192.88.99.0/24", "6to4 relay anycast, deprecated", "RFC 7526"),
    Block("192.88.99.2/32", "6a44 relay anycast", "RFC 6751"),
    Block("192.168.0.0/16", "private use", "RFC 1918"),
    Block("192.175.48.0/24", "AS112, direct delegation", "RFC 7534"),
    Block("198.18.0.0/15", "benchmarking", "RFC 2544"),
    Block("198.51.100.0/24", "documentation (TEST-NET-2)", "RFC 5737"),
    Block("203.0.113.0/24", "documentation (TEST-NET-3)", "RFC 5737"),
    Block("240.0.0.0/4", "reserved", "RFC 1112, section 4"),
    Block("255.255.255.255/32", "limited broadcast", "RFC 8190"),
)
BESIDES_V4: Final = (Block("224.0.0.0/4", "multicast", "RFC 5771"),)

MAPPED: Final = "::ffff:0:0/96"
"""The one row that is judged by the IPv4 address inside: systems dial that one."""
REGISTRY_V6: Final = (
    Block("::/128", "unspecified", "RFC 4291"),
    Block("::1/128", "loopback", "RFC 4291"),
    Block(MAPPED, "IPv4-mapped", "RFC 4291"),
    Block("64:ff9b::/96", "NAT64", "RFC 6052"),
    Block("64:ff9b:1::/48", "NAT64, local use", "RFC 8215"),
    Block("100::/64", "discard only", "RFC 6666"),
    Block("100:0:0:1::/64", "dummy prefix", "RFC 9780"),
    Block("2001::/23", "IETF protocol assignments", "RFC 2928"),
    Block("2001::/32", "Teredo", "RFC 4380"),
    Block("2001:1::1/128", "port control protocol anycast", "RFC 7723"),
    Block("2001:1::2/128", "TURN anycast", "RFC 8155"),
    Block("2001:1::3/128", "DNS-SD service registration anycast", "RFC 9665"),
    Block("2001:2::/48", "benchmarking", "RFC 5180"),
    Block("2001:3::/32", "AMT", "RFC 7450"),
    Block("2001:4:112::/48", "AS112", "RFC 7535"),
    Block("2001:10::/28", "ORCHID, deprecated", "RFC 4843"),
    Block("2001:20::/28", "ORCHIDv2", "RFC 7343"),
    Block("2001:30::/28", "drone remote identification", "RFC 9374"),
    Block("2001:db8::/32", "documentation", "RFC 3849"),
    Block("2002::/16", "6to4", "RFC 3056"),
    Block("2620:4f:8000::/48", "AS112, direct delegation", "RFC 7534"),
    Block("3fff::/20", "documentation", "RFC 9637"),
    Block("5f00::/16", "segment routing", "RFC 9602"),
    Block("fc00::/7", "unique local", "RFC 4193"),
    Block("fe80::/10", "link-local", "RFC 4291"),
)
BESIDES_V6: Final = (
    Block("::ffff:0:0:0/96", "IPv4-translated", "RFC 2765"),
    Block("fec0::/10", "site-local, deprecated", "RFC 3879"),
    Block("ff00::/8", "multicast", "RFC 4291"),
)

N = TypeVar("N", ipaddress.IPv4Network, ipaddress.IPv6Network)


def _outermost(networks: Sequence[N]) -> tuple[N, ...]:
    """The networks in their order, without those that lie inside another."""
    every: list[Any] = sorted(networks)
    return tuple(found for found in every if not any(found != other and found.subnet_of(other) for other in every))


NOT_PUBLIC_V4: Final = _outermost([ipaddress.IPv4Network(row.network) for row in (*REGISTRY_V4, *BESIDES_V4)])
NOT_PUBLIC_V6: Final = _outermost([ipaddress.IPv6Network(row.network) for row in (*REGISTRY_V6, *BESIDES_V6)])
