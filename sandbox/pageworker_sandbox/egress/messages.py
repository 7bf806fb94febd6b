"""Every message between supervisor and gateway. The frames are those of `pageworker_sandbox.wire`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from pageworker_sandbox.wire.messages import Id, Message, MessageSpec

Reason = Literal["private_address", "host_not_allowed", "port_not_allowed", "budget_exhausted", "rate_limited"]
"""Why the policy refused a request."""

MAX_HOSTS = 2048
"""Hosts in each list of a policy. A module names at most 200, a tenant's settings may name more."""
MAX_PORTS = 256

Host = Annotated[str, Meta(min_length=1, max_length=255)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Number = Annotated[int, Meta(ge=0)]


class Upstream(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A proxy for the runner's traffic. Its credentials never reach the runner. No setting sets one yet."""

    url: Annotated[str, Meta(min_length=1, max_length=512)]
    """`http://host:port` or `socks5://host:port`. The address may be private."""
    username: Annotated[str, Meta(max_length=255)] | None = None
    password: Annotated[str, Meta(max_length=255)] | None = None
    resolves: bool = False
    """False: the gateway resolves and checks names, and sends the checked address to the proxy.
    True: the proxy gets names, and is trusted to refuse private addresses itself."""


class EgressPolicy(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one runner may reach. Private addresses are always refused, except those in `fixed`."""

    hosts: Annotated[tuple[Annotated[tuple[Host, ...], Meta(max_length=MAX_HOSTS)], ...], Meta(max_length=8)] = ()
    """Lists of globs (`*`: any characters, dots included). A host must match one glob of every list. Without a list,
    every host is refused."""
    ports: Annotated[tuple[Port, ...], Meta(max_length=MAX_PORTS)] = (80, 443)
    fixed: Annotated[dict[Host, Host], Meta(max_length=MAX_HOSTS)] = {}
    """`address` or `address:port` (`[v6]:port`) by host name. Such a host is never resolved, may be private, and is
    reached without the upstream proxy."""
    connect_seconds: Annotated[float, Meta(gt=0, le=600)] = 10.0
    """Deadline for name resolution, connection and the upstream proxy's handshake together."""
    budget_bytes: Annotated[int, Meta(ge=0)] | None = None
    """Limit of bytes sent and received together, since Attach. No setting sets it yet."""
    requests_per_second: Annotated[float, Meta(gt=0)] | None = None
    """Rate limit, with a burst of one second, at least one request. No setting sets it yet."""
    upstream: Upstream | None = None


class Usage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A runner's counts since Attach. Bytes are those between gateway and origins."""

    up_bytes: Number = 0
    down_bytes: Number = 0
    requests: Number = 0
    connections: Number = 0
    """Connections of the runner that are open now."""
    refused: dict[Reason, Number] = {}


# ---- supervisor to gateway ----


class Attach(Message, frozen=True):
    """Serve a runner. Two descriptors: its listening TCP socket, and the write end of its failure pipe."""

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
    """Request the counts of all runners."""

    number: Number


# ---- gateway to supervisor ----


class GatewayAnswer(Message, frozen=True):
    """The answer to the request with this number. `error` is empty where the request was carried out."""

    number: Number
    error: Literal["", "unknown_runner", "known_runner", "too_many_runners", "invalid_listener", "invalid_policy"] = ""
    detail: Annotated[str, Meta(max_length=512)] = ""
    usage: dict[Id, Usage] = field(default_factory=dict)
    """By runner id: all runners in the answer to UsageRequest, the detached one in the answer to Detach."""


class RefusalNotice(Message, frozen=True):
    """A request of a runner was refused. Notices are limited; `suppressed` counts the refusals left out before."""

    runner_id: Id
    reason: Reason
    host: Host
    port: Port
    suppressed: Number = 0


class ProxyLost(Message, frozen=True):
    """A runner's proxy ended: its listener broke, or serving it failed. The runner has no network now."""

    runner_id: Id
    error: Annotated[str, Meta(max_length=512)]


KIB = 1024
TO_GATEWAY: dict[int, MessageSpec] = {
    128: MessageSpec(Attach, 4096 * KIB, 2),
    129: MessageSpec(Update, 4096 * KIB),
    130: MessageSpec(Detach, 1 * KIB),
    131: MessageSpec(UsageRequest, 64),
}
TO_SUPERVISOR: dict[int, MessageSpec] = {
    192: MessageSpec(GatewayAnswer, 64 * KIB),
    193: MessageSpec(RefusalNotice, 1 * KIB),
    194: MessageSpec(ProxyLost, 2 * KIB),
}
