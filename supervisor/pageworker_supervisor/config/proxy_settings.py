"""The section `[proxies]`: policies that say through which upstream proxies jobs go out."""

from typing import Annotated, Literal

from msgspec import Meta

from pageworker_sandbox.wire.messages import SECRET_NAME
from pageworker_supervisor.config.section import Section

MAX_UPSTREAMS = 32
"""Per policy, as in a message to the egress gateway."""


class ProxySettings(Section, frozen=True):
    """A proxy policy: a pool of upstream proxies, in which order they are used, and what happens if none works. Its
    name is what a job, a module or a tenant writes as `proxy`: 1-63 of a-z0-9-. docs/egress.md shows how to set one
    up."""

    upstreams: tuple[str, ...] = ()
    """From 1 to 32 proxies: `http://host:port` (CONNECT), `https://host:port` (CONNECT over TLS) or `socks5://host:port`.
    The port must be in `egress.proxy_ports`. Their addresses may be private."""
    credentials: Annotated[str, Meta(pattern=SECRET_NAME)] | None = None
    """Name of a secret of the fleet that holds `user:password` for all upstreams. `[secrets]` says where it is stored,
    under the reserved tenant `_fleet`. Default: no login."""
    rotation: Literal["profile", "job", "domain"] = "profile"
    """Who keeps its upstream while that works. `profile`: each profile, and the jobs of a tenant without one. `domain`:
    each host that a tenant requests. `job`: each attempt has another one; such a runner has one page."""
    resolve: Literal["here", "there"] = "here"
    """Who resolves the names of hosts. `here`: the worker, which refuses private addresses and sends checked ones to
    the proxy. `there`: the proxy, which is trusted to refuse private addresses itself."""
    fallback: Literal["refuse", "direct"] = "refuse"
    """What happens to a request if no upstream works. `refuse`: the job fails with `proxy_unavailable`. `direct`: it
    goes out through the worker's own connection."""
    country: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,32}\Z")] | None = None
    """Where the upstreams are. A label in logs and `workerctl status`, without effect."""
    tenants: tuple[str, ...] = ("*",)
    """Globs of the tenants that may use it."""
