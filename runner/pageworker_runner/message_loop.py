"""The runner at work: reads the supervisor's words and acts on them until something ends it."""

import os

from pageworker_runner import attempt_result
from pageworker_runner.attempts import Attempts
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.pool import PagePool
from pageworker_runner.reporting.send_queue import SendQueue
from pageworker_sandbox.memfd import NotSealed, read_sealed
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ProtocolViolation


class MessageLoop:
    """What is needed to act on a message."""

    def __init__(self, attempts: Attempts, pool: PagePool, outbox: SendQueue) -> None:
        self._attempts = attempts
        self._catalog = attempts.catalog
        self._pool = pool
        self._outbox = outbox

    async def run(self, channel: Channel) -> None:
        """Until Stop. Raises WireError."""
        while True:
            message, descriptors = await channel.receive()
            if isinstance(message, m.Stop):
                return
            try:
                self._act(message, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _act(self, message: m.Message, descriptors: list[int]) -> None:
        match message:
            case m.Run():
                self._attempts.start(message, self._pool)
            case m.Module():
                self._catalog.add(
                    message.name, message.version, message.sha256, message.entrypoint, _bundle(descriptors[0])
                )
            case m.Cancel():
                self._attempts.decide(message.attempt_id, attempt_result.cut(message.outcome))
            case m.Grant():
                self._attempts.grant(message.attempt_id, message.number)
            case m.Ping():
                self._outbox.put(m.Pong(number=message.number))
            case m.Forget():
                self._catalog.forget(message.name, message.version)
            case _:
                raise ProtocolViolation(f"{type(message).__name__} while READY")


def _bundle(descriptor: int) -> bytes:
    try:
        return read_sealed(descriptor, LIMITS.bundle_bytes)
    except NotSealed as error:
        raise ProtocolViolation(f"a bundle that is not sealed: {error}") from error
