"""Which IP addresses are public, and every spelling of a literal address that a system resolver would accept.

The list is that of special_purpose.py: ``ipaddress.is_global`` misses several of its rows, and an address behind a
translation prefix (NAT64, 6to4, Teredo) can lead back into the network that we stand in.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from shared.http.special_purpose import NOT_PUBLIC_V4, NOT_PUBLIC_V6

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
# ISATAP (RFC 5214, section 6.1): the interface identifier of any prefix, with the universal bit set or not.
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
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
    """Whether the address, and the IPv4 one that it may carry, are on the public internet (special_purpose.py)."""
    found = embedded(address)
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in NOT_PUBLIC_V4)
    # A zone id means link-local, whatever the rest says; Python's membership test ignores it.
    if found.scope_id is not None or any(found in network for network in NOT_PUBLIC_V6):
        return False
    # The other forms that carry an IPv4 address (translated, 6to4, Teredo, NAT64) are rows of the list as a whole.
    isatap = int(found) >> 32 & 0xFFFF_FFFF in _ISATAP
    return not isatap or is_public(ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF))


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
