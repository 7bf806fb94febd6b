"""The proxy of one runner: its listener, its connections, its policy enforcer. Two runners share nothing of it."""

import asyncio
import socket
from collections.abc import Callable

from pageworker_sandbox.dialer.connector import Connector
from pageworker_sandbox.egress.acceptor import Acceptor
from pageworker_sandbox.egress.access_log import AccessLog
from pageworker_sandbox.egress.errors import InvalidListener
from pageworker_sandbox.egress.failure_reports import FailureReports
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy, Reason, Usage
from pageworker_sandbox.egress.policy_enforcer import AskPermit, PolicyEnforcer
from pageworker_sandbox.egress.session import serve
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_monitor import UpstreamMonitor
from pageworker_sandbox.task_group import TaskGroup


class RunnerProxy:
    """`run` serves the runner until it is cancelled. The constructor raises InvalidPolicy."""

    def __init__(
        self,
        listener: socket.socket,
        policy: EgressPolicy,
        limits: EgressLimits,
        connector: Connector,
        on_refusal: Callable[[Reason, Target], None],
        reports: FailureReports,
        upstreams: UpstreamMonitor,
        words: memoryview | None = None,
        access: AccessLog | None = None,
        ask_permit: AskPermit | None = None,
    ) -> None:
        """`reports` is closed with the proxy. `words`: where the counts are kept; None: in memory of its own.
        `access`: gets its finished requests. `ask_permit`: for hosts with a limit on requests."""
        self._listener = listener
        self._reports = reports
        self._limits = limits
        self._connections = 0
        self._unserved: set[socket.socket] = set()
        """Accepted connections whose task has not begun. A task that is cancelled before it begins closes nothing."""
        self._enforcer = PolicyEnforcer(
            policy, limits, connector, on_refusal, reports.connected, upstreams, words, access, ask_permit
        )
        self.started = asyncio.Event()
        """Set once `run` accepts or has failed. A task that is cancelled before its first step cleans up nothing."""

    async def run(self) -> None:
        """Accept and serve. Raises InvalidListener (in a group) if the listener breaks."""
        try:
            acceptor = Acceptor(self._listener, self._limits)
        except RuntimeError:  # the thread could not be started
            self._enforcer.close()
            self._listener.close()
            self._reports.close()
            raise
        finally:
            self.started.set()
        try:
            async with TaskGroup() as group:
                while (connection := await acceptor.accepted.get()) is not None:
                    self._unserved.add(connection)
                    group.create_task(self._serve(acceptor, connection))
                raise InvalidListener("the listener was shut down")
        finally:
            for connection in self._unserved:
                connection.close()
            self._enforcer.close()
            self._reports.close()
            await acceptor.close()

    def update(self, policy: EgressPolicy) -> None:
        """Replace the policy. Raises InvalidPolicy."""
        self._enforcer.update(policy)

    def usage(self) -> Usage:
        """Counts since the runner was attached."""
        return self._enforcer.meter.usage(self._connections)

    async def _serve(self, acceptor: Acceptor, connection: socket.socket) -> None:
        self._connections += 1
        self._unserved.discard(connection)
        try:
            _, stream = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Stream(self._limits.buffer_bytes), connection
            )
            try:
                await serve(self._enforcer, stream, self._reports)
            finally:
                stream.abort("the session has ended")
        except OSError:
            connection.close()  # the runner reset the connection before a stream owned it
        finally:
            self._connections -= 1
            acceptor.release()
