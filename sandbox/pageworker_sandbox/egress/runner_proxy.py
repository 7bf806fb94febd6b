"""One runner's part of the gateway: its listener, its connections, its outlet. Nothing of it is shared."""

import asyncio
import socket
from collections.abc import Callable

from pageworker_sandbox.dialer.connector import Connector
from pageworker_sandbox.egress.acceptor import Acceptor
from pageworker_sandbox.egress.errors import InvalidListener
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy, Reason, Usage
from pageworker_sandbox.egress.policy_enforcer import PolicyEnforcer
from pageworker_sandbox.egress.session import serve
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target


class RunnerProxy:
    """`run` serves the runner until it is cancelled. Raises InvalidPolicy when made."""

    def __init__(
        self,
        listener: socket.socket,
        policy: EgressPolicy,
        limits: EgressLimits,
        connector: Connector,
        on_refusal: Callable[[Reason, Target], None],
    ) -> None:
        self._listener = listener
        self._limits = limits
        self._connections = 0
        self._unserved: set[socket.socket] = set()
        """Accepted, their task not begun: cancelled then, it would never begin, let alone close them."""
        self._outlet = PolicyEnforcer(policy, limits, connector, on_refusal)
        self.started = asyncio.Event()
        """Set once `run` accepts, or could not: a task that is cancelled before its first step cleans nothing."""

    async def run(self) -> None:
        """Accept and serve. Raises InvalidListener (in a group) when the listener breaks."""
        try:
            acceptor = Acceptor(self._listener, self._limits)
        except RuntimeError:  # no thread to be had
            self._outlet.close()
            self._listener.close()
            raise
        finally:
            self.started.set()
        try:
            async with asyncio.TaskGroup() as group:
                while (connection := await acceptor.accepted.get()) is not None:
                    self._unserved.add(connection)
                    group.create_task(self._serve(acceptor, connection))
                raise InvalidListener("the listener was shut down")
        finally:
            for connection in self._unserved:
                connection.close()
            self._outlet.close()
            await acceptor.close()

    def update(self, policy: EgressPolicy) -> None:
        """Take another policy. Raises InvalidPolicy."""
        self._outlet.update(policy)

    def usage(self) -> Usage:
        """Counts since the beginning."""
        return self._outlet.meter.usage(self._connections)

    async def _serve(self, acceptor: Acceptor, connection: socket.socket) -> None:
        self._connections += 1
        self._unserved.discard(connection)
        try:
            _, stream = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Stream(self._limits.buffer_bytes), connection
            )
            try:
                await serve(self._outlet, stream)
            finally:
                stream.abort("served")
        except OSError:
            connection.close()  # reset before it was ours
        finally:
            self._connections -= 1
            acceptor.release()
