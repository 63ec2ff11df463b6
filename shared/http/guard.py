"""The address guard: which webhook URLs are accepted, at the request and again at the dial.

docs/reference/webhooks.md, "Which URLs are taken": http(s) only, no user info, allowed ports, allowed domains, no
address that is not public unless an allowed network has it, every answer of the resolver checked. The URL is read
once, here: the dial uses the host, port and target of :class:`CheckedUrl`, so that no second parser can understand
another address.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

import idna

from shared.http.addresses import Address, Network, NotAnAddress, embedded, is_public, literal, parse_address
from shared.settings import WebhookGuardSettings

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""A name and a port to the addresses it has now, as texts. Raises OSError when it has none."""

MAX_URL_LENGTH: Final = 2048
MAX_ADDRESSES: Final = 64
"""Of one name. All are checked, since which one is dialled is chance."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LOW_PORTS: Final = frozenset({80, 443})
_FIRST_HIGH_PORT: Final = 1024
# Parsers disagree about these, and none belongs into a URL (RFC 3986, appendix A). A lone surrogate is no character.
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\<>^`{|}\"\u2028\u2029\ufeff\ud800-\udfff]")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\]@]*\]|[^:\[\]@]*)(?::(?P<port>[0-9]*))?")


class WebhookUrlRefused(ValueError):
    """The URL, or an address behind it, is not allowed.

    ``code`` is stable: invalid_url, scheme_not_allowed, https_required, userinfo_not_allowed, port_not_allowed,
    domain_not_allowed, address_not_public, name_not_resolved or too_many_addresses. ``detail`` is for people and names
    no address.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class GuardPolicy:
    """What a deployment allows besides the fixed rules."""

    require_https: bool = False
    allowed_domains: tuple[str, ...] = ()
    """When set, only these names and what is below them."""
    allowed_networks: tuple[Network, ...] = ()
    """Networks that may be called although they are not public."""

    @classmethod
    def from_settings(cls, settings: WebhookGuardSettings) -> GuardPolicy:
        """The policy of AUTOS_WEBHOOK_REQUIRE_HTTPS, _ALLOWED_DOMAINS and _ALLOWED_NETWORKS."""
        return cls(
            require_https=settings.webhook_require_https,
            allowed_domains=settings.webhook_allowed_domains,
            allowed_networks=settings.webhook_allowed_networks,
        )

    def allows(self, address: Address) -> bool:
        """Whether the address may be dialled."""
        found = embedded(address)
        if is_public(address):
            return True
        return any(candidate in network for network in self.allowed_networks for candidate in {address, found})


class AnyAddress(GuardPolicy):
    """Allows every address: for URLs that the operator set, and to read a URL without judging it."""

    def allows(self, address: Address) -> bool:
        """True."""
        return True


@dataclass(frozen=True)
class CheckedUrl:
    """A URL that passed. ``host`` is ASCII and lower-case, a literal address in its canonical form, no brackets."""

    url: str
    scheme: str
    host: str
    port: int
    origin: str
    """``scheme://host[:port]``, the port only where it is not the scheme's own."""
    target: str
    """Path and query as they go on the request line."""
    address: Address | None
    """The literal address, when the host is one."""

    @property
    def authority(self) -> str:
        """The Host header."""
        return self.origin.partition("://")[2]

    @property
    def without_query(self) -> str:
        """What names an endpoint: the URL without its query and fragment."""
        return self.origin + self.target.partition("?")[0]


def check_url(url: str, policy: GuardPolicy) -> CheckedUrl:
    """Check what can be said without a resolver; a literal address in any spelling is checked here already.

    Pure and quick, so it runs at the request and again before each dial. Raises WebhookUrlRefused with the code of the
    first rule that is broken.
    """
    if not url or len(url) > MAX_URL_LENGTH or _FORBIDDEN.search(url):
        raise WebhookUrlRefused("invalid_url", "not a URL, or too long, or with characters that a URL cannot have")
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise WebhookUrlRefused("invalid_url", "not a URL") from error
    scheme = split.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise WebhookUrlRefused("scheme_not_allowed", "the URL must begin with http:// or https://")
    if policy.require_https and scheme != "https":
        raise WebhookUrlRefused("https_required", "the URL must begin with https://")
    if "@" in split.netloc:
        raise WebhookUrlRefused("userinfo_not_allowed", "the URL must not have a user name or password")
    address, host, port, origin = _authority(scheme, split.netloc, policy)
    target = quote(split.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if split.query:
        target += "?" + quote(split.query, safe="/%:@!$&'()*+,;=~-._?[]")
    return CheckedUrl(url=url, scheme=scheme, host=host, port=port, origin=origin, target=target, address=address)


# An endpoint's deliveries have the same one; what is cached here is a judgement of the text alone, no name's addresses.
@lru_cache(maxsize=4096)
def _authority(scheme: str, netloc: str, policy: GuardPolicy) -> tuple[Address | None, str, int, str]:
    """The literal address, if it is one, the host, the port and the origin."""
    match = _AUTHORITY.fullmatch(netloc)
    if match is None or not match["host"]:
        raise WebhookUrlRefused("invalid_url", "the URL has no valid host")
    address, host = _host(match["host"])
    port = _port(match["port"], scheme)
    _check_domain(host, policy)
    if address is not None and not policy.allows(address):
        raise WebhookUrlRefused("address_not_public", "the address is not a public one")
    shown = f"[{host}]" if ":" in host else host
    origin = f"{scheme}://{shown}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")
    return address, host, port, origin


def _host(text: str) -> tuple[Address | None, str]:
    name = text if text.startswith("[") else _ascii(text)
    try:
        address = literal(name)
    except NotAnAddress as error:
        raise WebhookUrlRefused("invalid_url", "the host is neither a name nor an address") from error
    if address is not None:
        return address, str(embedded(address))
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise WebhookUrlRefused("invalid_url", "the host is not a valid name")
    return None, name


def _ascii(host: str) -> str:
    """The host in lower-case ASCII without its final dot; full-width digits and dots become what they stand for."""
    try:
        if not host.isascii():
            host = idna.encode(host, uts46=True, transitional=False).decode("ascii")
    except idna.IDNAError:
        # A full-width address is no valid name, but a resolver may still read it: judge what it maps to.
        try:
            host = idna.uts46_remap(host, std3_rules=False, transitional=False)
        except idna.IDNAError as error:
            raise WebhookUrlRefused("invalid_url", "the host is not a valid name") from error
        if not host.isascii():
            raise WebhookUrlRefused("invalid_url", "the host is not a valid name") from None
    return host.lower().removesuffix(".")


def _port(text: str | None, scheme: str) -> int:
    if not text:
        return _DEFAULT_PORTS[scheme]
    port = int(text) if len(text) <= 8 else -1
    if port not in _LOW_PORTS and not _FIRST_HIGH_PORT <= port <= 65535:
        raise WebhookUrlRefused("port_not_allowed", "allowed ports are 80, 443 and those from 1024")
    return port


def _check_domain(host: str, policy: GuardPolicy) -> None:
    if not policy.allowed_domains:
        return
    for domain in policy.allowed_domains:
        wanted = domain.lower().removeprefix("*").removeprefix(".").removesuffix(".")
        if host == wanted or host.endswith(f".{wanted}"):
            return
    raise WebhookUrlRefused("domain_not_allowed", "the host is not below one of the allowed domains")


async def resolve(host: str, port: int, policy: GuardPolicy, resolver: Resolver) -> list[Address]:
    """The addresses of a host, each checked; one bad answer refuses the name, since which one is dialled is chance.

    A literal address is its own answer. Raises WebhookUrlRefused with name_not_resolved, too_many_addresses or
    address_not_public.
    """
    try:
        answers: Sequence[str] = [str(parse_address(host))]
    except ValueError:
        try:
            answers = await resolver(host, port)
        except OSError as error:
            raise WebhookUrlRefused("name_not_resolved", "the host has no address") from error
    if len(answers) > MAX_ADDRESSES:
        raise WebhookUrlRefused("too_many_addresses", f"the host has more than {MAX_ADDRESSES} addresses")
    addresses: list[Address] = []
    for answer in answers:
        try:
            address = parse_address(answer)
        except ValueError as error:
            raise WebhookUrlRefused("address_not_public", "the resolver's answer is not an address") from error
        if not policy.allows(address):
            raise WebhookUrlRefused("address_not_public", "an address of the host is not a public one")
        if (found := embedded(address)) not in addresses:
            addresses.append(found)
    if not addresses:
        raise WebhookUrlRefused("name_not_resolved", "the host has no address")
    return addresses
