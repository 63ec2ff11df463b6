"""The address guard: every row of the list, every spelling of an address, every rule about URLs."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.addresses import NotAnAddress, is_public, literal
from shared.http.guard import CheckedUrl, GuardPolicy, WebhookUrlRefused, check_url, resolve
from shared.http.special_purpose import (
    BESIDES_V4,
    BESIDES_V6,
    NOT_PUBLIC_V4,
    NOT_PUBLIC_V6,
    REGISTRY_V4,
    REGISTRY_V6,
)

OPEN = GuardPolicy()

# The rows of IANA's registries and of what is refused besides, written out again: a row lost from the code is noticed.
IANA_V4 = [
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
]
IANA_V6 = [
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
]
MULTICAST_AND_DEPRECATED = ["224.0.0.0/4", "ff00::/8", "fec0::/10", "::ffff:0:0:0/96"]
ROWS = [ipaddress.ip_network(text) for text in (*IANA_V4, *IANA_V6, *MULTICAST_AND_DEPRECATED)]
MAPPED = ipaddress.ip_network("::ffff:0:0/96")


def refusal(url: str, policy: GuardPolicy = OPEN) -> str:
    with pytest.raises(WebhookUrlRefused) as caught:
        check_url(url, policy)
    return caught.value.code


def test_every_row_of_the_registries_is_in_the_list() -> None:
    for row in ROWS:
        listed_as: Any = (*NOT_PUBLIC_V4, *NOT_PUBLIC_V6)
        assert any(row.version == other.version and row.subnet_of(other) for other in listed_as)
    listed = {row.network for row in (*REGISTRY_V4, *BESIDES_V4, *REGISTRY_V6, *BESIDES_V6)}
    # As networks: Python 3.13 writes ::ffff:0:0/96 in another way.
    assert {ipaddress.ip_network(network) for network in listed} == set(ROWS)


@pytest.mark.parametrize("network", [row for row in ROWS if row != MAPPED], ids=str)
def test_no_address_of_a_row_is_public_and_its_neighbours_are_judged_alone(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    middle = network.network_address + network.num_addresses // 2
    for address in (network.network_address, middle, network.broadcast_address):
        assert not is_public(address)
        assert not OPEN.allows(address)
    for step, edge in ((-1, network.network_address), (1, network.broadcast_address)):
        try:
            neighbour = edge + step
        except ValueError:
            continue
        # ::2 to ::ffff:ffff are IPv4-compatible, and ::ffff:0:0/96 is mapped: their IPv4 part is judged.
        if isinstance(neighbour, ipaddress.IPv6Address) and int(neighbour) < 2**48:
            continue
        assert is_public(neighbour) is not any(neighbour in row for row in ROWS)


@pytest.mark.parametrize("network", NOT_PUBLIC_V4, ids=str)
@pytest.mark.parametrize("prefix", ["::ffff:", "::"])
def test_mapped_and_compatible_addresses_are_judged_by_their_ipv4_part(
    network: ipaddress.IPv4Network, prefix: str
) -> None:
    assert not is_public(ipaddress.IPv6Address(f"{prefix}{network.broadcast_address}"))
    assert not is_public(ipaddress.IPv6Address(f"{prefix}{network.network_address}"))
    assert is_public(ipaddress.IPv6Address(f"{prefix}8.8.8.8"))


@pytest.mark.parametrize("network", NOT_PUBLIC_V4, ids=str)
@pytest.mark.parametrize("identifier", ["0:5efe", "200:5efe"])
def test_an_isatap_address_is_judged_by_its_ipv4_part_too(network: ipaddress.IPv4Network, identifier: str) -> None:
    for inside in (network.network_address, network.broadcast_address):
        assert not is_public(ipaddress.IPv6Address(f"2606:4700:0:0:{identifier}:{inside}"))
    assert is_public(ipaddress.IPv6Address(f"2606:4700:0:0:{identifier}:8.8.8.8"))
    assert not is_public(ipaddress.IPv6Address(f"fd00:0:0:0:{identifier}:8.8.8.8"))


@pytest.mark.parametrize("prefix", ["::ffff:0:", "64:ff9b::", "64:ff9b:1::", "64:ff9b:1:2::"])
@pytest.mark.parametrize("inside", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "8.8.8.8"])
def test_what_a_translator_reads_an_ipv4_address_from_is_refused(prefix: str, inside: str) -> None:
    assert refusal(f"http://[{prefix}{inside}]/") == "address_not_public"


@pytest.mark.parametrize("address", ["2002:7f00:1::1", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe"])
def test_what_a_tunnel_reads_an_ipv4_address_from_is_refused(address: str) -> None:
    assert refusal(f"https://[{address}]/") == "address_not_public"


def test_the_page_of_the_documentation_has_every_row() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "webhook-addresses.md").read_text()
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in page.splitlines() if "RFC" in line}
    assert {tuple(row) for row in (*REGISTRY_V4, *BESIDES_V4, *REGISTRY_V6, *BESIDES_V6)} <= rows


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.0", "2606:4700::1111", "2001:200::1"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0x0.0x0.0x1",
        "0",
        "00",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::7f00:1]",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[2606:4700::1%25eth0]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::ffff:0:7f00:1]",
        "[::FFFF:0:127.0.0.1]",
        "[0:0:0:0:ffff:0:10.0.0.1]",
        "[2001:2::1]",
        "[2001:20::1]",
        "[2001:2f:ffff::1]",
        "[2606:4700::5efe:10.0.0.1]",
        "[fd00::1]",
        "169.254.169.254",
        "2852039166",
        "10.1",
        "3232235777",
    ],
)
def test_every_spelling_of_an_address_that_is_not_public_is_refused(host: str) -> None:
    assert refusal(f"http://{host}/hook") == "address_not_public"


@given(st.integers(0, 2**32 - 1), st.data())
def test_ipv4_is_read_as_inet_aton_reads_it(value: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 4))
    octets = [value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255]
    numbers = octets[: count - 1]
    last = 0
    for octet in octets[count - 1 :]:
        last = last << 8 | octet
    forms = [data.draw(st.sampled_from(["{:d}", "0{:o}", "0x{:x}", "0X{:X}"])) for _ in range(count)]
    text = ".".join(form.format(number) for form, number in zip(forms, [*numbers, last], strict=True))
    assert socket.inet_aton(text) == literal(text).packed  # type: ignore[union-attr]


@given(st.text(alphabet="0123456789abcdefxX.", min_size=1, max_size=18))
def test_whatever_inet_aton_accepts_is_read_as_the_same_address_or_refused(text: str) -> None:
    try:
        packed = socket.inet_aton(text)
    except OSError:
        return
    try:
        found = literal(text)
    except NotAnAddress:
        return
    assert found is not None
    assert found.packed == packed


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "invalid_url"),
        ("example.com/hook", "scheme_not_allowed"),
        ("ftp://example.com/", "scheme_not_allowed"),
        ("javascript:alert(1)", "scheme_not_allowed"),
        ("http://", "invalid_url"),
        ("http:///path", "invalid_url"),
        ("http://a..b/", "invalid_url"),
        ("http://-a.example/", "invalid_url"),
        ("http://a b.example/", "invalid_url"),
        ("http://example.com\\@10.0.0.1/", "invalid_url"),
        ("http://exa\tmple.com/", "invalid_url"),
        ("http://example.com/\r\nHost: other", "invalid_url"),
        ("http://%31%30.0.0.1/", "invalid_url"),
        ("http://1.2.3.4.5/", "invalid_url"),
        ("http://256.1.1.1/", "invalid_url"),
        ("http://1.2.3.09/", "invalid_url"),
        ("http://0x/", "invalid_url"),
        ("http://[::1/", "invalid_url"),
        ("http://[::1]x/", "invalid_url"),
        ("http://[v1.a]/", "invalid_url"),
        ("http://exämple\u200b..com/", "invalid_url"),
        ("http://user@example.com/", "userinfo_not_allowed"),
        ("http://user:secret@example.com/", "userinfo_not_allowed"),
        ("http://@example.com/", "userinfo_not_allowed"),
        ("http://example.com:0/", "port_not_allowed"),
        ("http://example.com:22/", "port_not_allowed"),
        ("http://example.com:1023/", "port_not_allowed"),
        ("http://example.com:65536/", "port_not_allowed"),
        ("http://example.com:99999999999/", "port_not_allowed"),
        ("http://example.com:x/", "invalid_url"),
        ("http://example.com/" + "a" * 2048, "invalid_url"),
    ],
)
def test_urls_that_break_a_rule_are_refused_with_its_code(url: str, code: str) -> None:
    assert refusal(url) == code


@pytest.mark.parametrize(
    ("url", "host", "port", "origin", "target"),
    [
        ("http://example.com", "example.com", 80, "http://example.com", "/"),
        ("HTTPS://Example.COM./Hook", "example.com", 443, "https://example.com", "/Hook"),
        ("https://example.com:443/a?b=c#d", "example.com", 443, "https://example.com", "/a?b=c"),
        ("http://example.com:8080/a b".replace(" ", "%20"), "example.com", 8080, "http://example.com:8080", "/a%20b"),
        (
            "http://bücher.example/ü?q=ä",
            "xn--bcher-kva.example",
            80,
            "http://xn--bcher-kva.example",
            "/%C3%BC?q=%C3%A4",
        ),
        ("http://0x08080808/", "8.8.8.8", 80, "http://8.8.8.8", "/"),
        ("https://[2606:4700::1111]:8443/x", "2606:4700::1111", 8443, "https://[2606:4700::1111]:8443", "/x"),
        ("http://[::ffff:8.8.8.8]/", "8.8.8.8", 80, "http://8.8.8.8", "/"),
    ],
)
def test_urls_that_pass_are_read_once_for_the_dial(url: str, host: str, port: int, origin: str, target: str) -> None:
    checked = check_url(url, OPEN)
    assert (checked.url, checked.host, checked.port, checked.origin, checked.target) == (
        url,
        host,
        port,
        origin,
        target,
    )


def test_the_query_does_not_name_the_endpoint() -> None:
    assert check_url("https://example.com/hook?token=1#x", OPEN).without_query == "https://example.com/hook"


@given(st.text(max_size=80))
def test_any_text_is_checked_or_refused_but_never_breaks(text: str) -> None:
    for url in (text, f"http://{text}/", f"https://example.com/{text}"):
        try:
            checked = check_url(url, OPEN)
        except WebhookUrlRefused:
            continue
        assert isinstance(checked, CheckedUrl)
        assert checked.target.isascii()
        assert checked.authority.isascii()


def test_https_can_be_required() -> None:
    assert refusal("http://example.com/", GuardPolicy(require_https=True)) == "https_required"
    assert check_url("https://example.com/", GuardPolicy(require_https=True)).scheme == "https"


def test_domains_can_be_limited() -> None:
    policy = GuardPolicy(allowed_domains=("example.com", "*.Court.example"))
    assert check_url("https://example.com/", policy).host == "example.com"
    assert check_url("https://a.b.example.com/", policy).host == "a.b.example.com"
    assert check_url("https://x.court.example/", policy).host == "x.court.example"
    assert refusal("https://notexample.com/", policy) == "domain_not_allowed"
    assert refusal("https://8.8.8.8/", policy) == "domain_not_allowed"


def test_allowed_networks_open_what_is_not_public() -> None:
    policy = GuardPolicy(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))
    assert check_url("http://127.0.0.1:9000/", policy).host == "127.0.0.1"
    assert check_url("http://[::ffff:127.0.0.1]:9000/", policy).host == "127.0.0.1"
    assert check_url("http://[::1]:9000/", policy).host == "::1"
    assert refusal("http://10.0.0.1/", policy) == "address_not_public"


async def answers(*addresses: str, policy: GuardPolicy = OPEN) -> list[str]:
    async def resolver(host: str, port: int) -> list[str]:
        assert (host, port) == ("hook.example", 443)
        return list(addresses)

    return [str(address) for address in await resolve("hook.example", 443, policy, resolver)]


async def test_every_answer_of_the_resolver_is_checked() -> None:
    assert await answers("8.8.8.8", "2606:4700::1111", "8.8.8.8") == ["8.8.8.8", "2606:4700::1111"]
    for bad in ("10.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "fe80::1%2", "64:ff9b::a00:1", "nonsense"):
        with pytest.raises(WebhookUrlRefused) as caught:
            await answers("8.8.8.8", bad)
        assert caught.value.code == "address_not_public"


async def test_mapped_answers_are_dialled_as_ipv4() -> None:
    assert await answers("::ffff:8.8.8.8") == ["8.8.8.8"]


async def test_a_name_without_address_is_not_resolved() -> None:
    with pytest.raises(WebhookUrlRefused) as caught:
        await answers()
    assert caught.value.code == "name_not_resolved"

    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(WebhookUrlRefused) as caught:
        await resolve("hook.example", 443, OPEN, unknown)
    assert caught.value.code == "name_not_resolved"


async def test_a_literal_address_asks_no_resolver_and_is_checked_again() -> None:
    async def never(host: str, port: int) -> list[str]:
        raise AssertionError("asked")

    assert [str(found) for found in await resolve("8.8.8.8", 80, OPEN, never)] == ["8.8.8.8"]
    with pytest.raises(WebhookUrlRefused):
        await resolve("127.0.0.1", 80, OPEN, never)
