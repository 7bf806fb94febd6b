"""What supervisor and gateway can say to each other. The frames are those of `pageworker_sandbox.wire`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from pageworker_sandbox.wire.messages import Id, Message, MessageSpec

Reason = Literal["private_address", "host_not_allowed", "port_not_allowed", "budget_exhausted", "rate_limited"]
"""Why the policy refused a request. The header `Pageworker-Egress` of the 403 carries it."""

MAX_HOSTS = 2048
"""In each list of a policy: a module names at most 200, a tenant's settings more."""
MAX_PORTS = 256

Host = Annotated[str, Meta(min_length=1, max_length=255)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Number = Annotated[int, Meta(ge=0)]


class Upstream(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A proxy that the cell's traffic goes through. Its credentials never reach the runner."""

    url: Annotated[str, Meta(min_length=1, max_length=512)]
    """`http://host:port` or `socks5://host:port`; the address may be private."""
    username: Annotated[str, Meta(max_length=255)] | None = None
    password: Annotated[str, Meta(max_length=255)] | None = None
    resolves: bool = False
    """False: names are resolved and checked here, and the proxy is asked for the checked address.
    True: the proxy gets names and is trusted to refuse private addresses itself."""


class EgressPolicy(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one runner may reach. Private addresses are refused always, save those in `fixed`."""

    hosts: Annotated[tuple[Annotated[tuple[Host, ...], Meta(max_length=MAX_HOSTS)], ...], Meta(max_length=8)] = ()
    """Lists of globs (`*`: any run of characters, dots included). A host must match one glob of every list;
    no list at all allows nothing."""
    ports: Annotated[tuple[Port, ...], Meta(max_length=MAX_PORTS)] = (80, 443)
    fixed: Annotated[dict[Host, Host], Meta(max_length=MAX_HOSTS)] = {}
    """Host name to `address` or `address:port` (`[v6]:port`): never resolved, may be private, no upstream."""
    connect_seconds: Annotated[float, Meta(gt=0, le=600)] = 10.0
    """For name resolution, connection and the upstream proxy's handshake together."""
    budget_bytes: Annotated[int, Meta(ge=0)] | None = None
    """Up and down together, counted since Attach."""
    requests_per_second: Annotated[float, Meta(gt=0)] | None = None
    """With a burst of one second's worth, at least one."""
    upstream: Upstream | None = None


class Usage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A cell's counts since Attach. Bytes are those between gateway and origins."""

    up_bytes: Number = 0
    down_bytes: Number = 0
    requests: Number = 0
    connections: Number = 0
    """Of the runner, open now."""
    refused: dict[Reason, Number] = {}


# ---- supervisor to gateway ----


class Attach(Message, frozen=True):
    """One descriptor: a runner's listening TCP socket."""

    number: Number
    cell_id: Id
    policy: EgressPolicy


class Update(Message, frozen=True):
    """Another policy. Connections that it would not allow, or would route otherwise, are cut."""

    number: Number
    cell_id: Id
    policy: EgressPolicy


class Detach(Message, frozen=True):
    """Close the listener and all connections of the cell."""

    number: Number
    cell_id: Id


class AskUsage(Message, frozen=True):
    """Counts of all cells, please."""

    number: Number


# ---- gateway to supervisor ----


class GatewayAnswer(Message, frozen=True):
    """The one answer to the request with this number. `error` is empty where it was done."""

    number: Number
    error: Literal["", "unknown_cell", "known_cell", "too_many_cells", "invalid_listener", "invalid_policy"] = ""
    detail: Annotated[str, Meta(max_length=512)] = ""
    cells: dict[Id, Usage] = field(default_factory=dict)
    """To AskUsage all cells, to Detach the cell's last counts."""


class Notice(Message, frozen=True):
    """A runner was refused something. At most a few a second; `suppressed` counts those left unsaid before."""

    cell_id: Id
    reason: Reason
    host: Host
    port: Port
    suppressed: Number = 0


class ProxyLost(Message, frozen=True):
    """The cell ended by itself: its listener broke, or serving it failed. Its runner has no network now."""

    cell_id: Id
    error: Annotated[str, Meta(max_length=512)]


KIB = 1024
TO_GATEWAY: dict[int, MessageSpec] = {
    128: MessageSpec(Attach, 4096 * KIB, 1),
    129: MessageSpec(Update, 4096 * KIB),
    130: MessageSpec(Detach, 1 * KIB),
    131: MessageSpec(AskUsage, 64),
}
TO_SUPERVISOR: dict[int, MessageSpec] = {
    192: MessageSpec(GatewayAnswer, 64 * KIB),
    193: MessageSpec(Notice, 1 * KIB),
    194: MessageSpec(ProxyLost, 2 * KIB),
}
