"""Reads the supervisor's messages and acts on them, from Ready until Stop."""

import os

from pageworker_runner.attempts import attempt_result
from pageworker_runner.attempts.executor import AttemptExecutor
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.reporting.reporter import SendQueue
from pageworker_sandbox.memfd import NotSealed, read_sealed
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ProtocolViolation


class MessageLoop:
    """One method call per message. No message waits for the work that an earlier one started."""

    def __init__(self, attempts: AttemptExecutor, catalog: Catalog, send_queue: SendQueue) -> None:
        self._attempts = attempts
        self._catalog = catalog
        self._send_queue = send_queue

    async def run(self, channel: Channel) -> None:
        """Return after a Stop. Raises WireError."""
        while True:
            message, descriptors = await channel.receive()
            if isinstance(message, m.Stop):
                return
            try:
                self.handle(message, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def handle(self, message: m.Message, descriptors: list[int]) -> None:
        """Act on one message. The descriptors stay the caller's. Raises ProtocolViolation."""
        match message:
            case m.Run():
                self._attempts.start(message)
            case m.Module():
                self._catalog.add(
                    message.name, message.version, message.sha256, message.entrypoint, _bundle(descriptors[0])
                )
            case m.Forget():
                self._catalog.forget(message.name, message.version)
            case m.Cancel():
                self._attempts.force_result(message.attempt_id, attempt_result.stopped(message.outcome))
            case m.Grant():
                self._attempts.grant(message.attempt_id, message.number)
            case m.Ping():
                self._send_queue.put(m.Pong(number=message.number))
            case _:
                raise ProtocolViolation(f"{type(message).__name__} while READY")


def _bundle(descriptor: int) -> bytes:
    try:
        return read_sealed(descriptor, LIMITS.bundle_bytes)
    except NotSealed as error:
        raise ProtocolViolation(f"a bundle whose memfd is not sealed: {error}") from error
