"""Which IP addresses are public, and every spelling of a literal address that a system resolver would accept.

The list is the one of docs/architecture.md ("not public"): ``ipaddress.is_global`` misses several of these, and an
address behind a translation prefix (NAT64, 6to4, Teredo) can lead back into the network that we stand in.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NOT_PUBLIC_V4: Final[tuple[ipaddress.IPv4Network, ...]] = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network (RFC 1122)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "169.254.0.0/16",  # link-local, cloud metadata (RFC 3927)
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.88.99.0/24",  # 6to4 relay anycast (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved, and broadcast (RFC 1112)
    )
)

NOT_PUBLIC_V6: Final[tuple[ipaddress.IPv6Network, ...]] = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/128",  # unspecified (RFC 4291)
        "::1/128",  # loopback (RFC 4291)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64, local use (RFC 8215)
        "100::/64",  # discard (RFC 6666)
        "2001::/32",  # Teredo (RFC 4380)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4 (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
        "fc00::/7",  # unique local (RFC 4193)
        "fe80::/10",  # link-local (RFC 4291)
        "fec0::/10",  # site-local, deprecated (RFC 3879)
        "ff00::/8",  # multicast (RFC 4291)
    )
)

_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


class NotAnAddress(ValueError):
    """The text looks like a literal address (brackets, or a number as its last label) but is none."""


def embedded(address: Address) -> Address:
    """An IPv4-mapped or IPv4-compatible IPv6 address as the IPv4 one inside it; any other one as it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _COMPATIBLE and int(address) > 1:
        return ipaddress.IPv4Address(int(address))
    return address


def is_public(address: Address) -> bool:
    """Whether the address is on the public internet, by the list of docs/architecture.md."""
    found = embedded(address)
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in NOT_PUBLIC_V4)
    # A zone id means link-local, whatever the rest says; Python's membership test ignores it.
    return found.scope_id is None and not any(found in network for network in NOT_PUBLIC_V6)


def parse_address(text: str) -> Address:
    """An address as a resolver returns it. Raises ValueError."""
    return ipaddress.ip_address(text)


def literal(host: str) -> Address | None:
    """The address that a URL's host spells, or None when the host is a name.

    IPv6 comes in brackets. IPv4 is read as ``inet_aton`` does: one to four parts, each decimal, octal (leading 0)
    or hexadecimal (0x), the last one filling what is left. Raises NotAnAddress for a host whose last label is a
    number but which is no address (a name cannot end so, WHATWG URL section 3.5).
    """
    if host.startswith("["):
        if not host.endswith("]"):
            raise NotAnAddress("a bracket is not closed")
        try:
            # RFC 6874 writes the zone's percent sign as %25.
            return ipaddress.IPv6Address(host[1:-1].replace("%25", "%", 1))
        except ValueError as error:
            raise NotAnAddress("not an IPv6 address") from error
    parts = host.split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    return ipaddress.IPv4Address(_inet_aton(parts))


def _inet_aton(parts: list[str]) -> int:
    if len(parts) > 4:
        raise NotAnAddress("more than four parts")
    numbers = [_number(part) for part in parts]
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        raise NotAnAddress("a part is too large")
    value = numbers[-1]
    for index, number in enumerate(numbers[:-1]):
        value += number << (8 * (3 - index))
    return value


def _number(part: str) -> int:
    if not _NUMBER.fullmatch(part) or len(part) > 32:
        raise NotAnAddress("a part is not a number")
    if part[:2] in {"0x", "0X"}:
        if len(part) == 2:
            raise NotAnAddress("a hexadecimal part has no digits")
        return int(part, 16)
    if part[0] == "0" and len(part) > 1:
        try:
            return int(part, 8)
        except ValueError as error:
            raise NotAnAddress("a part is not an octal number") from error
    return int(part)
