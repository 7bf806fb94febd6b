"""The gateway's requests for permits: asked for and answered. For counted ones, the supervisor is told their end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pageworker_sandbox.egress.messages import GatewayPermit, GatewayPermitEnd, GatewayPermitRequest
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed


def _nothing() -> None:
    """The request is not counted."""


@dataclass(frozen=True)
class RequestPermit:
    """The answer to one request or tunnel."""

    refused: bool = False
    counted: bool = False
    """Others may wait for its end."""
    end: Callable[[], None] = _nothing
    """Call it once the request has ended."""


class PermitRequests:
    """Of all runners of the gateway."""

    def __init__(self, channel: Channel, on_end: Callable[[GatewayPermitEnd], None]) -> None:
        """`on_end` gets what is to be sent when a request has ended."""
        self._channel = channel
        self._on_end = on_end
        self._number = 0
        self._waiting: dict[int, asyncio.Future[GatewayPermit]] = {}
        """By number."""

    async def ask(self, runner_id: str, target: Target, tunnel: bool) -> RequestPermit:
        """Return when a request may begin, or is refused."""
        self._number += 1
        number = self._number
        waiting: asyncio.Future[GatewayPermit] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            await self._channel.send(
                GatewayPermitRequest(number=number, runner_id=runner_id, host=target.host, tunnel=tunnel)
            )
            answer = await waiting
        except ChannelClosed:
            return RequestPermit(refused=True)  # the supervisor is gone, and so is this gateway in a moment
        finally:
            del self._waiting[number]
        if answer.refused or not answer.counted:
            return RequestPermit(refused=answer.refused)
        ended = GatewayPermitEnd(number=number, runner_id=runner_id)
        return RequestPermit(counted=True, end=lambda: self._on_end(ended))

    def answered(self, message: GatewayPermit) -> None:
        """The supervisor's answer. The runner may be detached: then the supervisor counts none of its requests."""
        waiting = self._waiting.get(message.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)
