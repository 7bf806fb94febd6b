"""Decides what a runner may reach. Pure: a target in, a route or a reason out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from pageworker_sandbox.egress.address import Address, is_public, unmap
from pageworker_sandbox.egress.errors import InvalidPolicy, MalformedTarget
from pageworker_sandbox.egress.messages import EgressPolicy, Reason, Upstream
from pageworker_sandbox.egress.target import Target, parse_authority
from pageworker_sandbox.egress.upstream_order import preferred

REMEMBERED_HOSTS = 1024
EXPECTED_URL = "upstream: expected http://host:port, https://host:port or socks5://host:port"
_PROXY_PORTS = {"http": 3128, "https": 3128, "socks5": 1080}

Matcher = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class UpstreamProxy:
    """An upstream proxy, parsed."""

    scheme: str
    target: Target
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    resolves: bool

    @property
    def url(self) -> str:
        """`scheme://host:port`, without credentials."""
        return f"{self.scheme}://{self.target.authority}"


@dataclass(frozen=True, slots=True)
class Route:
    """One way to reach a permitted target. Two equal routes may share a connection; different routes never do."""

    target: Target
    fixed: tuple[Address, int] | None
    proxy: UpstreamProxy | None

    @property
    def absolute(self) -> bool:
        """Whether plain HTTP requests go to the proxy in absolute form."""
        return self.proxy is not None and self.proxy.scheme != "socks5" and self.proxy.resolves


Ways = tuple[UpstreamProxy | None, ...]
Routes = tuple[Route, ...]
"""All permitted ways to one target, in the order of preference."""


class CompiledPolicy:
    """A policy, parsed and compiled. Raises InvalidPolicy, which names the part that is wrong."""

    def __init__(self, policy: EgressPolicy) -> None:
        self.source = policy
        self._lists = [[_compile(glob) for glob in globs] for globs in policy.hosts]
        self._ports = frozenset(policy.ports)
        self._fixed = {_name(host): _parse_fixed(host, text) for host, text in policy.fixed.items()}
        self._proxies = {upstream: _parse_upstream(upstream) for upstream in policy.upstreams}
        direct = not self._proxies or policy.without_upstream == "direct"
        self._last: tuple[None, ...] = (None,) if direct else ()
        """None is a direct connection: the last choice, or the only one."""
        self.proxies = frozenset(self._proxies.values())
        self._given: Ways = (*self._proxies.values(), *self._last)
        self._limited = [_compile(glob) for glob in policy.limited]
        self._blocked = [_compile(glob) for glob in policy.blocked]
        self._known: dict[str, bool] = {}
        self._orders: dict[str, Ways] = {}
        """By host, if each host has an order of its own."""

    def decide(self, target: Target) -> Routes | Reason:
        """The routes to a target, or why it is refused. Checks port, host, and literal addresses; resolves no name."""
        if target.port not in self._ports:
            return "port_not_allowed"
        if not self._matches(target.host):
            return "host_not_allowed"
        fixed = self._fixed.get(target.host)
        if fixed is not None:
            address, port = fixed
            return (Route(target, (address, port or target.port), None),)
        if target.address is not None and not is_public(target.address):
            return "private_address"
        if target.host == "localhost" or target.host.endswith(".localhost"):
            return "private_address"
        return tuple(Route(target, None, proxy) for proxy in self._in_order(target.host))

    def is_limited(self, target: Target) -> bool:
        """Whether a request or tunnel to this target needs a permit."""
        return any(matches(target.host) for matches in self._limited)

    def is_blocked(self, target: Target) -> bool:
        """Whether the browser context wants no request to this target."""
        return bool(self._blocked) and any(matches(target.host) for matches in self._blocked)

    def permits_host(self, host: str) -> bool:
        """Whether the policy permits a host by its name, on some port. An IPv6 address has no brackets."""
        return self._matches(host)

    def _in_order(self, host: str) -> Ways:
        if self.source.order == "given":
            return self._given
        order = self._orders.get(host)
        if order is None:
            upstreams = preferred(self._proxies, self.source.salt, host)
            order = (*(self._proxies[upstream] for upstream in upstreams), *self._last)
            if len(self._orders) >= REMEMBERED_HOSTS:
                self._orders.clear()
            self._orders[host] = order
        return order

    def _matches(self, host: str) -> bool:
        known = self._known.get(host)
        if known is None:
            known = bool(self._lists) and all(any(m(host) for m in matchers) for matchers in self._lists)
            if len(self._known) >= REMEMBERED_HOSTS:
                self._known.clear()
            self._known[host] = known
        return known


def check(addresses: Iterable[Address]) -> Reason | None:
    """Check the addresses of a name. One private address refuses all, because DNS rebinding mixes them."""
    return None if all(is_public(address) for address in addresses) else "private_address"


def _compile(glob: str) -> Matcher:
    """A glob as a matcher. Its time is bounded by the lengths of host and glob multiplied, for any glob."""
    first, *rest = _name(glob).split("*")
    if not rest:
        return first.__eq__ if "?" not in first else lambda host: _fits(first, host)

    def matches(host: str) -> bool:
        *middle, last = rest
        at, end = len(first), len(host) - len(last)
        if end < at or not _fits(first, host[:at]) or not _fits(last, host[end:]):
            return False
        for part in middle:
            at = _find(part, host, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return matches


def _fits(part: str, text: str) -> bool:
    """Whether `part`, in which `?` is any character, is this text."""
    return part == text or (len(part) == len(text) and all(p in ("?", c) for p, c in zip(part, text, strict=True)))


def _find(part: str, host: str, at: int, end: int) -> int:
    """Where the part is first found between both places; -1: nowhere."""
    if "?" not in part:
        return host.find(part, at, end)
    starts = range(at, end - len(part) + 1)
    return next((start for start in starts if _fits(part, host[start : start + len(part)])), -1)


def _name(text: str) -> str:
    return text.lower().removesuffix(".")


def _parse_fixed(host: str, text: str) -> tuple[Address, int | None]:
    try:
        return unmap(ip_address(text)), None
    except ValueError:
        pass
    try:
        target = parse_authority(text.encode("ascii", "replace"))
    except MalformedTarget as error:
        raise InvalidPolicy(f"fixed address of {host}: expected `address` or `address:port`") from error
    if target.address is None:
        raise InvalidPolicy(f"fixed address of {host}: expected an address, not a name")
    return target.address, target.port


def _parse_upstream(upstream: Upstream) -> UpstreamProxy:
    try:
        parts = urlsplit(upstream.url)
        target = parse_authority(parts.netloc.encode("ascii", "replace"), _PROXY_PORTS.get(parts.scheme))
    except (ValueError, MalformedTarget) as error:
        raise InvalidPolicy(EXPECTED_URL) from error
    if parts.scheme not in _PROXY_PORTS or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InvalidPolicy(EXPECTED_URL)
    if parts.scheme == "socks5" and any(
        len((text or "").encode()) > 255 for text in (upstream.username, upstream.password)
    ):
        raise InvalidPolicy("upstream: SOCKS 5 has at most 255 bytes for a user name and for a password (RFC 1929)")
    return UpstreamProxy(parts.scheme, target, upstream.username, upstream.password, upstream.resolves)
