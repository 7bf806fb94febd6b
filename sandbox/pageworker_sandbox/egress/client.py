"""The supervisor's end of the channel to the egress gateway."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable

import msgspec

from pageworker_sandbox.egress.errors import EgressError, InvalidListener, InvalidPolicy
from pageworker_sandbox.egress.messages import (
    TO_GATEWAY,
    TO_SUPERVISOR,
    AccessRecord,
    Attach,
    Detach,
    EgressPolicy,
    GatewayAnswer,
    GatewayPermit,
    GatewayPermitEnd,
    GatewayPermitRequest,
    ProxyLost,
    RefusalNotice,
    SetAccessLog,
    Update,
    UpstreamState,
    Usage,
    UsageRequest,
)
from pageworker_sandbox.egress.shared_counts import SharedCounts, new_descriptor
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed, WireError

KEPT_NOTICES = 1000
Notice = RefusalNotice | ProxyLost | UpstreamState
"""What the gateway sends by itself."""


PermitNews = GatewayPermitRequest | GatewayPermitEnd
"""What the gateway sends about permits."""


class GatewayLost(EgressError):
    """The gateway has ended or broke the protocol. No runner has a network now. To recover, start another gateway and
    attach every runner again; that needs the listeners, so keep a duplicate of each."""


class GatewayRefused(EgressError):
    """The runner is attached already, is not attached, or the gateway has too many. The blame is the caller's."""


def connect(
    sock: socket.socket,
    on_access: Callable[[AccessRecord], None] = lambda _: None,
    on_permit: Callable[[PermitNews], None] = lambda _: None,
) -> "GatewayClient":
    """A client over the supervisor's end of the gateway's socket pair.

    `on_access` gets the records for the access log, in order: those of a runner come before the answer to its Detach.
    `on_permit` gets the requests for permits, which `permit` answers, and the ends of those that are counted.
    """
    return GatewayClient(Channel(sock, outgoing=TO_GATEWAY, incoming=TO_SUPERVISOR), on_access, on_permit)


class GatewayClient:
    """One gateway process. `run` must run while the other methods are used."""

    def __init__(
        self,
        channel: Channel,
        on_access: Callable[[AccessRecord], None] = lambda _: None,
        on_permit: Callable[[PermitNews], None] = lambda _: None,
    ) -> None:
        self._channel = channel
        self._on_access = on_access
        self._on_permit = on_permit
        self._number = 0
        self._waiting: dict[int, asyncio.Future[GatewayAnswer]] = {}
        self._notices: asyncio.Queue[Notice] = asyncio.Queue(KEPT_NOTICES)
        self._lost: str | None = None

    async def run(self) -> None:
        """Read answers and notices. Raises GatewayLost at the end; from then on every method raises it too."""
        try:
            while True:
                message, _ = await self._channel.receive()
                match message:
                    case GatewayAnswer(number=number):
                        waiting = self._waiting.pop(number, None)
                        if waiting is not None and not waiting.done():
                            waiting.set_result(message)
                    case AccessRecord():
                        self._on_access(message)
                    case GatewayPermitRequest() | GatewayPermitEnd():
                        self._on_permit(message)
                    case RefusalNotice() | ProxyLost() | UpstreamState():
                        if self._notices.full():
                            self._notices.get_nowait()
                        self._notices.put_nowait(message)
        except WireError as error:
            raise GatewayLost(str(error)) from error
        finally:
            self._lost = "the gateway has ended"
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(GatewayLost(self._lost))
            self._waiting.clear()
            self._channel.close()

    async def attach(self, runner_id: str, listener_fd: int, failures_fd: int, policy: EgressPolicy) -> SharedCounts:
        """Serve a runner's listener under this policy, and write its failures into a pipe (`wire.request_failure`).

        The caller keeps both descriptors and closes them. Returns the runner's counts, which grow from now on.

        Raises InvalidPolicy, InvalidListener (kill the runner), GatewayRefused, GatewayLost.
        """
        _check(policy)
        self._number += 1
        message = Attach(number=self._number, runner_id=runner_id, policy=policy)
        counts_fd = new_descriptor()
        try:
            counts = SharedCounts(counts_fd)
            await self._request(message, (listener_fd, failures_fd, counts_fd))
        finally:
            os.close(counts_fd)
        return counts

    async def update(self, runner_id: str, policy: EgressPolicy) -> None:
        """Change a runner's policy. On return it is in force, and the connections that it forbids are closed.

        Raises InvalidPolicy, GatewayRefused, GatewayLost.
        """
        _check(policy)
        self._number += 1
        await self._request(Update(number=self._number, runner_id=runner_id, policy=policy))

    async def detach(self, runner_id: str) -> Usage:
        """Close the runner's listener and connections. Returns its last counts. Raises GatewayRefused, GatewayLost."""
        self._number += 1
        return await self._usage_of(runner_id, Detach(number=self._number, runner_id=runner_id))

    async def usage(self, runner_id: str) -> Usage:
        """The counts of one runner. Raises GatewayRefused, GatewayLost."""
        self._number += 1
        return await self._usage_of(runner_id, UsageRequest(number=self._number, runner_id=runner_id))

    async def set_access_log(self, share: float) -> None:
        """Record this share of the requests that begin from now on, 0 to 1. Raises GatewayLost."""
        self._number += 1
        await self._request(SetAccessLog(number=self._number, share=share))

    async def permit(self, number: int, *, refused: bool = False, counted: bool = False) -> None:
        """Answer a request for a permit. `counted`: `on_permit` is to get its end. Raises GatewayLost."""
        try:
            await self._channel.send(GatewayPermit(number=number, refused=refused, counted=counted))
        except ChannelClosed as error:
            raise GatewayLost(str(error)) from error

    async def ping(self) -> None:
        """Return once the gateway answers. Raises GatewayLost."""
        self._number += 1
        await self._request(UsageRequest(number=self._number))

    async def notices(self) -> AsyncIterator[Notice]:
        """Refusals, lost proxies and changed upstream proxies, as they come.

        Past KEPT_NOTICES unread ones, the oldest are dropped.
        """
        while True:
            yield await self._notices.get()

    async def _usage_of(self, runner_id: str, message: Detach | UsageRequest) -> Usage:
        answer = await self._request(message)
        if runner_id not in answer.usage:
            # The gateway may be taken over. Its answer must not end the supervisor.
            raise GatewayLost(f"its answer to {type(message).__name__} has no counts of {runner_id}")
        return answer.usage[runner_id]

    async def _request(
        self, message: Attach | Update | Detach | UsageRequest | SetAccessLog, descriptors: tuple[int, ...] = ()
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
    # A policy over its limits must not reach the gateway: it would be a protocol violation there and end the channel.
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(policy), type=EgressPolicy)
    except msgspec.ValidationError as error:
        raise InvalidPolicy(str(error)) from error
