"""The supervisor's end: what it may ask of the gateway, and what it hears."""

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec

from pageworker_sandbox.egress.errors import EgressError, InvalidListener, InvalidPolicy
from pageworker_sandbox.egress.messages import (
    TO_GATEWAY,
    TO_SUPERVISOR,
    AskUsage,
    Attach,
    Detach,
    EgressPolicy,
    GatewayAnswer,
    Notice,
    ProxyLost,
    Update,
    Usage,
)
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed, WireError

KEPT_NOTICES = 1000


class GatewayLost(EgressError):
    """The gateway process is gone or broke the protocol. All runners are without network: start another and
    attach them again; that needs the listeners, so keep a duplicate of each."""


class GatewayRefused(EgressError):
    """The gateway knows the cell already, does not know it, or has no room. The blame is the caller's."""


def connect(sock: socket.socket) -> "Gateway":
    """A client over the supervisor's end of the socket pair that the gateway was started with."""
    return Gateway(Channel(sock, outgoing=TO_GATEWAY, incoming=TO_SUPERVISOR))


class Gateway:
    """One gateway process. `run` has to run as long as the others are used."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._number = 0
        self._waiting: dict[int, asyncio.Future[GatewayAnswer]] = {}
        self._heard: asyncio.Queue[Notice | ProxyLost] = asyncio.Queue(KEPT_NOTICES)
        self._lost: str | None = None

    async def run(self) -> None:
        """Read answers and notices. Raises GatewayLost at the end, as do all calls from then on."""
        try:
            while True:
                message, _ = await self._channel.receive()
                match message:
                    case GatewayAnswer(number=number):
                        waiting = self._waiting.pop(number, None)
                        if waiting is not None and not waiting.done():
                            waiting.set_result(message)
                    case Notice() | ProxyLost():
                        if self._heard.full():
                            self._heard.get_nowait()
                        self._heard.put_nowait(message)
        except WireError as error:
            raise GatewayLost(str(error)) from error
        finally:
            self._lost = "the gateway is gone"
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(GatewayLost(self._lost))
            self._waiting.clear()
            self._channel.close()

    async def attach(self, cell_id: str, listener_fd: int, policy: EgressPolicy) -> None:
        """Give a runner its way out. The caller keeps, and closes, its own descriptor.

        Raises InvalidPolicy, InvalidListener (kill the runner), GatewayRefused, GatewayLost.
        """
        _check(policy)
        self._number += 1
        await self._ask(Attach(number=self._number, cell_id=cell_id, policy=policy), (listener_fd,))

    async def update(self, cell_id: str, policy: EgressPolicy) -> None:
        """Change a runner's policy; when this returns it is in force and what it forbids is cut.

        Raises InvalidPolicy, GatewayRefused, GatewayLost.
        """
        _check(policy)
        self._number += 1
        await self._ask(Update(number=self._number, cell_id=cell_id, policy=policy))

    async def detach(self, cell_id: str) -> Usage:
        """Close the listener and all connections; the last counts. Raises GatewayRefused, GatewayLost."""
        self._number += 1
        return (await self._ask(Detach(number=self._number, cell_id=cell_id))).cells[cell_id]

    async def usage(self) -> dict[str, Usage]:
        """Counts of all cells. Raises GatewayLost."""
        self._number += 1
        return (await self._ask(AskUsage(number=self._number))).cells

    async def notices(self) -> AsyncIterator[Notice | ProxyLost]:
        """Refusals and lost cells, as they come. The oldest are dropped where nobody reads."""
        while True:
            yield await self._heard.get()

    async def _ask(
        self, message: Attach | Update | Detach | AskUsage, descriptors: tuple[int, ...] = ()
    ) -> GatewayAnswer:
        if self._lost is not None:
            raise GatewayLost(self._lost)
        waiting: asyncio.Future[GatewayAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[message.number] = waiting
        try:
            await self._channel.send(message, descriptors)
            answer = await waiting
        except ChannelClosed as error:
            raise GatewayLost(str(error)) from error
        finally:
            self._waiting.pop(message.number, None)
        match answer.error:
            case "":
                return answer
            case "invalid_listener":
                raise InvalidListener(answer.detail)
            case "invalid_policy":
                raise InvalidPolicy(answer.detail)
            case _:
                raise GatewayRefused(answer.error)


def _check(policy: EgressPolicy) -> None:
    # Its limits are checked where messages are parsed, and there a mistake would cost the whole channel.
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(policy), type=EgressPolicy)
    except msgspec.ValidationError as error:
        raise InvalidPolicy(str(error)) from error
