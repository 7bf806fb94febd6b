"""Every message to and from the dialer. The frames are those of `pageworker_sandbox.wire`."""

from typing import Annotated

from msgspec import Meta

from pageworker_sandbox.egress.messages import Reason
from pageworker_sandbox.wire.messages import Id, Message, MessageSpec

MAX_TARGETS = 2048
MAX_ADDRESSES = 64

Port = Annotated[int, Meta(ge=1, le=65535)]
Number = Annotated[int, Meta(ge=0)]
Host = Annotated[str, Meta(min_length=1, max_length=255)]

# ---- supervisor to dialer ----


class DialRules(Message, frozen=True):
    """Where the dialer may connect to, until other rules come. Landlock keeps the ports of the first ones."""

    ports: Annotated[tuple[Port, ...], Meta(max_length=256)]
    """Permitted ports of public addresses."""
    targets: Annotated[tuple[Host, ...], Meta(max_length=MAX_TARGETS)] = ()
    """`address`, `address:port` or `name:port`, chosen by the operator. Their addresses may be private."""
    barred: Annotated[tuple[Port, ...], Meta(max_length=256)] = ()
    """Ports of the worker on this host. They are refused even if `targets` names them."""
    proxy_ports: Annotated[tuple[Port, ...], Meta(max_length=256)] = ()
    """Ports that the targets of later rules may have. Only the first rules count: Landlock permits no port later."""
    number: Number = 0
    """Names these rules in the answer."""


# ---- dialer to supervisor ----


class RulesAccepted(Message, frozen=True):
    """The rules are in force. `landlock_ports`: the kernel too refuses this process all other TCP ports than those of
    the first rules."""

    landlock_ports: bool
    number: Number = 0


class RulesRefused(Message, frozen=True):
    """The rules that replace others cannot be read. The others stay in force."""

    error: Annotated[str, Meta(max_length=256)]
    number: Number = 0


# ---- gateway to dialer ----


class Resolve(Message, frozen=True):
    """Request all addresses of a name, for a runner."""

    number: Number
    runner_id: Id
    name: Host


class Connect(Message, frozen=True):
    """Request a connection to an address, for a runner."""

    number: Number
    runner_id: Id
    address: Host
    port: Port


class Abandon(Message, frozen=True):
    """The answer to this request is not needed any more."""

    number: Number


class ForgetRunner(Message, frozen=True):
    """The runner is detached from the gateway."""

    runner_id: Id


# ---- dialer to gateway ----


class Resolved(Message, frozen=True):
    """The answer to Resolve. `local`: one of the addresses belongs to this host. `error`: why there are none."""

    number: Number
    addresses: Annotated[tuple[Host, ...], Meta(max_length=MAX_ADDRESSES)] = ()
    local: bool = False
    error: Annotated[str, Meta(max_length=256)] = ""


class Connected(Message, frozen=True):
    """The answer to Connect. One descriptor: the connected socket."""

    number: Number


class NotConnected(Message, frozen=True):
    """The answer to a Connect that failed. `refused`: the rules forbid it. Otherwise `error` says why, and `errno` is
    the error number of connect(2), 0 if it has none."""

    number: Number
    refused: Reason | None = None
    error: Annotated[str, Meta(max_length=256)] = ""
    errno: Annotated[int, Meta(ge=0, le=4095)] = 0


KIB = 1024
FROM_SUPERVISOR: dict[int, MessageSpec] = {64: MessageSpec(DialRules, 1024 * KIB)}
TO_SUPERVISOR: dict[int, MessageSpec] = {80: MessageSpec(RulesAccepted, 64), 81: MessageSpec(RulesRefused, 1 * KIB)}
FROM_GATEWAY: dict[int, MessageSpec] = {
    96: MessageSpec(Resolve, 1 * KIB),
    97: MessageSpec(Connect, 1 * KIB),
    98: MessageSpec(Abandon, 64),
    99: MessageSpec(ForgetRunner, 1 * KIB),
}
TO_GATEWAY: dict[int, MessageSpec] = {
    112: MessageSpec(Resolved, 32 * KIB),
    113: MessageSpec(Connected, 64, 1),
    114: MessageSpec(NotConnected, 1 * KIB),
}
