"""Whose address a request has: only what a trusted proxy says is believed."""

from __future__ import annotations

import ipaddress

import pytest

from services.api.access_log.addresses import client_address

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (None, [], None),
        ("203.0.113.7", [], "203.0.113.7"),
        # A client that writes the header itself.
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        # What stands before the nearest address was written by whoever has it.
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # Not an address: the hop that said so is the last one that is known.
        ("10.0.0.1", ["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["'; DROP TABLE"], "10.0.0.1"),
        ("10.0.0.1", [", ".join(["10.0.0.9"] * 10_000)], "10.0.0.9"),
        ("testclient", ["203.0.113.7"], "testclient"),
    ],
)
def test_the_nearest_address_that_is_no_trusted_proxy(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    assert client_address(peer, forwarded, PROXIES) == expected


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert client_address("10.0.0.1", ["203.0.113.7"], ()) == "10.0.0.1"
