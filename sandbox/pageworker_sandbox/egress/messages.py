"""Every message between supervisor and gateway. The frames are those of `pageworker_sandbox.wire`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from pageworker_sandbox.wire.messages import Id, Message, MessageSpec

Reason = Literal[
    "private_address",
    "host_not_allowed",
    "host_blocked",
    "port_not_allowed",
    "budget_exhausted",
    "rate_limited",
    "proxy_unavailable",
]
"""Why the policy refused a request. `host_blocked`: the browser context does not want requests to the host.
`proxy_unavailable`: no upstream proxy works, and nothing else is permitted."""

UpstreamFault = Literal[
    "refused",
    "timed_out",
    "unreachable",
    "name_not_resolved",
    "tls",
    "protocol",
    "credentials",
    "closed",
    "private_address",
    "not_permitted",
]
"""Why an upstream proxy does not work. `private_address`: its name resolves to a port of the worker. `not_permitted`:
the dialer's rules do not name it."""

MAX_HOSTS = 2048
"""Hosts in each list of a policy. A module names at most 200, a tenant's settings may name more."""
MAX_PORTS = 256
MAX_UPSTREAMS = 32

Host = Annotated[str, Meta(min_length=1, max_length=255)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Number = Annotated[int, Meta(ge=0)]
UpstreamUrl = Annotated[str, Meta(min_length=1, max_length=512)]


class Upstream(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A proxy for the runner's traffic. Its credentials never reach the runner."""

    url: UpstreamUrl
    """`http://host:port`, `https://host:port` (TLS to the proxy) or `socks5://host:port`.
    The address may be private."""
    username: Annotated[str, Meta(max_length=255)] | None = None
    password: Annotated[str, Meta(max_length=255)] | None = None
    resolves: bool = False
    """False: the gateway resolves and checks names, and sends the checked address to the proxy.
    True: the proxy gets names, and is trusted to refuse private addresses itself."""

    def __repr__(self) -> str:
        """Without credentials: an error may quote it."""
        return f"Upstream(url={self.url!r})"


class EgressPolicy(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one runner may reach. Private addresses are always refused, except those in `fixed`."""

    hosts: Annotated[tuple[Annotated[tuple[Host, ...], Meta(max_length=MAX_HOSTS)], ...], Meta(max_length=8)] = ()
    """Lists of globs (`*`: any characters, dots included; `?`: one). A host must match one glob of every list. Without
    a list, every host is refused."""
    blocked: Annotated[tuple[Host, ...], Meta(max_length=MAX_HOSTS)] = ()
    """Globs of hosts that the option `block_hosts` of the browser context names. A request to one is refused, and
    counted in no budget: the browser is not to send it. The runner is told of each (`wire.request_failure`)."""
    ports: Annotated[tuple[Port, ...], Meta(max_length=MAX_PORTS)] = (80, 443)
    fixed: Annotated[dict[Host, Host], Meta(max_length=MAX_HOSTS)] = {}
    """`address` or `address:port` (`[v6]:port`) by host name. Such a host is never resolved, may be private, and is
    reached without the upstream proxy."""
    connect_seconds: Annotated[float, Meta(gt=0, le=600)] = 10.0
    """Deadline for name resolution, connection and the upstream proxy's handshake together."""
    budget_bytes: Annotated[int, Meta(ge=0)] | None = None
    """Limit of bytes sent and received together, from the policy on that was the first with this `budget_turn`."""
    budget_requests: Annotated[int, Meta(ge=0)] | None = None
    """Limit of requests and tunnels, refused ones included, from the same moment on."""
    budget_turn: Annotated[int, Meta(ge=0)] = 0
    """Another number than before begins both budgets anew. The supervisor counts the attempts of the runner."""
    limited: Annotated[tuple[Host, ...], Meta(max_length=MAX_HOSTS)] = ()
    """Globs of hosts with a limit on requests, how many begin or how many are open: a request or tunnel to one needs a
    permit (`GatewayPermitRequest`)."""
    upstreams: Annotated[tuple[Upstream, ...], Meta(max_length=MAX_UPSTREAMS)] = ()
    """The first one that works carries a request. Without one, the runner's requests go out directly."""
    order: Literal["given", "host"] = "given"
    """`given`: in the order of `upstreams`. `host`: for each host of a request in an order of its own
    (`upstream_order.preferred` of `salt` and the host)."""
    salt: Annotated[str, Meta(max_length=255)] = ""
    """For the order `host`: the tenant."""
    without_upstream: Literal["refuse", "direct"] = "refuse"
    """What happens to a request when none of `upstreams` works."""


class Usage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A runner's counts since Attach. Bytes are those between gateway and origins."""

    up_bytes: Number = 0
    down_bytes: Number = 0
    requests: Number = 0
    connections: Number = 0
    """Connections of the runner that are open now."""
    refused: dict[Reason, Number] = {}
    upstream: Annotated[str, Meta(max_length=300)] = ""
    """`host:port` of the upstream proxy that was used last. `direct`: the last request went out without one. Empty: no
    request has needed one."""


# ---- supervisor to gateway ----


class Attach(Message, frozen=True):
    """Serve a runner. Three descriptors: its listening TCP socket, the write end of its failure pipe, and the memfd of
    its counts (`shared_counts`)."""

    number: Number
    runner_id: Id
    policy: EgressPolicy


class Update(Message, frozen=True):
    """Replace a runner's policy. Closes the connections that the new policy forbids or routes differently."""

    number: Number
    runner_id: Id
    policy: EgressPolicy


class Detach(Message, frozen=True):
    """Close the listener and all connections of a runner."""

    number: Number
    runner_id: Id


class UsageRequest(Message, frozen=True):
    """Request the counts of one runner. Without a runner: request an answer, as a sign of life."""

    number: Number
    runner_id: Id | None = None


class SetAccessLog(Message, frozen=True):
    """Report this share of the requests of all runners that begin from now on."""

    number: Number
    share: Annotated[float, Meta(ge=0, le=1)]


class GatewayPermit(Message, frozen=True):
    """The answer to a GatewayPermitRequest, when the request may begin. `refused`: it would wait too long."""

    number: Number
    refused: bool = False
    counted: bool = False
    """The host has a limit on open requests: tell when this one has ended (`GatewayPermitEnd`)."""


# ---- gateway to supervisor ----


class GatewayAnswer(Message, frozen=True):
    """The answer to the request with this number. `error` is empty if the request was carried out."""

    number: Number
    error: Literal["", "unknown_runner", "known_runner", "too_many_runners", "invalid_listener", "invalid_policy"] = ""
    detail: Annotated[str, Meta(max_length=512)] = ""
    usage: dict[Id, Usage] = field(default_factory=dict)
    """By runner id: the one of a UsageRequest or Detach."""


class RefusalNotice(Message, frozen=True):
    """A request of a runner was refused. Notices are limited; `suppressed` counts the refusals left out before."""

    runner_id: Id
    reason: Reason
    host: Host
    port: Port
    suppressed: Number = 0


class GatewayPermitRequest(Message, frozen=True):
    """A request or tunnel of a runner to a host with a limit on requests. It is held until the answer comes."""

    number: Number
    runner_id: Id
    host: Host
    tunnel: bool
    """A tunnel that may carry requests over TLS. False: one request, or the handshake of one WebSocket."""


class GatewayPermitEnd(Message, frozen=True):
    """The request that was permitted and counted under this number has ended: its response, or its connection."""

    number: Number
    runner_id: Id


class AccessRecord(Message, frozen=True):
    """A request or tunnel of a runner that has ended. `method`: CONNECT for a tunnel.

    `status`: the host's; None for a tunnel, and without an answer. Bytes are those between gateway and origin.
    `reason`: why it was refused or failed. `suppressed`: how many records were left out before this one.
    """

    runner_id: Id
    method: Annotated[str, Meta(max_length=16)]
    host: Host
    port: Port
    status: Annotated[int, Meta(ge=100, le=999)] | None = None
    up_bytes: Number = 0
    down_bytes: Number = 0
    seconds: Annotated[float, Meta(ge=0)] = 0.0
    reason: Annotated[str, Meta(max_length=64, pattern="^[a-z_]*$")] = ""
    suppressed: Number = 0


class ProxyLost(Message, frozen=True):
    """A runner's proxy ended: its listener broke, or serving it failed. The runner has no network now."""

    runner_id: Id
    error: Annotated[str, Meta(max_length=512)]


class UpstreamState(Message, frozen=True):
    """An upstream proxy does not work any more, or works again. Sent on a change only; at first each one is up."""

    url: UpstreamUrl
    """As in the policy, without credentials: `scheme://host:port`."""
    up: bool
    reason: UpstreamFault | None = None
    """Why it is not up."""


KIB = 1024
TO_GATEWAY: dict[int, MessageSpec] = {
    128: MessageSpec(Attach, 4096 * KIB, 3),
    129: MessageSpec(Update, 4096 * KIB),
    130: MessageSpec(Detach, 1 * KIB),
    131: MessageSpec(UsageRequest, 1 * KIB),
    132: MessageSpec(SetAccessLog, 64),
    140: MessageSpec(GatewayPermit, 64),
}
TO_SUPERVISOR: dict[int, MessageSpec] = {
    192: MessageSpec(GatewayAnswer, 64 * KIB),
    193: MessageSpec(RefusalNotice, 1 * KIB),
    194: MessageSpec(ProxyLost, 2 * KIB),
    195: MessageSpec(UpstreamState, 1 * KIB),
    196: MessageSpec(AccessRecord, 2 * KIB),
    200: MessageSpec(GatewayPermitRequest, 1 * KIB),
    201: MessageSpec(GatewayPermitEnd, 1 * KIB),
}
