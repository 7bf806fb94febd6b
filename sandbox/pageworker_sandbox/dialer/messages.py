"""What is said to the dialer and by it. The frames are those of `pageworker_sandbox.wire`."""

from typing import Annotated

from msgspec import Meta

from pageworker_sandbox.egress.messages import Reason
from pageworker_sandbox.wire.messages import Id, Message, MessageSpec

MAX_TARGETS = 2048
MAX_ADDRESSES = 64

Port = Annotated[int, Meta(ge=1, le=65535)]
Number = Annotated[int, Meta(ge=0)]
Host = Annotated[str, Meta(min_length=1, max_length=255)]

# ---- supervisor to dialer, once ----


class Rules(Message, frozen=True):
    """Where connections may go, for as long as the dialer lives."""

    ports: Annotated[tuple[Port, ...], Meta(max_length=256)]
    """Of public addresses."""
    targets: Annotated[tuple[Host, ...], Meta(max_length=MAX_TARGETS)] = ()
    """`address`, `address:port` or `name:port` that the operator chose. They may be private."""
    barred: Annotated[tuple[Port, ...], Meta(max_length=256)] = ()
    """Ports of this host that are the worker's own: never, whatever `targets` says."""


# ---- dialer to supervisor, once ----


class RulesAccepted(Message, frozen=True):
    """They are in force. `landlock_ports`: the kernel bars all other TCP ports from this process too."""

    landlock_ports: bool


# ---- gateway to dialer ----


class Resolve(Message, frozen=True):
    """All addresses of a name, please. `cell_id`: whose lookup it is."""

    number: Number
    cell_id: Id
    name: Host


class Connect(Message, frozen=True):
    """A connection to this address, please."""

    number: Number
    cell_id: Id
    address: Host
    port: Port


class Abandon(Message, frozen=True):
    """Nobody waits for this answer any more."""

    number: Number


class ForgetRunner(Message, frozen=True):
    """The cell is closed."""

    cell_id: Id


# ---- dialer to gateway ----


class Resolved(Message, frozen=True):
    """`local`: one of the addresses is this host's own. `error` where there are none."""

    number: Number
    addresses: Annotated[tuple[Host, ...], Meta(max_length=MAX_ADDRESSES)] = ()
    local: bool = False
    error: Annotated[str, Meta(max_length=256)] = ""


class Connected(Message, frozen=True):
    """With the connected socket."""

    number: Number


class NotConnected(Message, frozen=True):
    """`barred`: the rules do not allow it. Else `error` says what the kernel did."""

    number: Number
    barred: Reason | None = None
    error: Annotated[str, Meta(max_length=256)] = ""


KIB = 1024
FROM_SUPERVISOR: dict[int, MessageSpec] = {64: MessageSpec(Rules, 1024 * KIB)}
TO_SUPERVISOR: dict[int, MessageSpec] = {80: MessageSpec(RulesAccepted, 64)}
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
