"""The runner's process from start to exit: it acts on the supervisor's messages until something ends it.

Every way in which it can end has one exit code.
"""

import asyncio
import os
import socket
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from pageworker_runner.attempts import attempt_result
from pageworker_runner.attempts.executor import AttemptExecutor
from pageworker_runner.environment import RunnerEnvironment
from pageworker_runner.errors import StartError
from pageworker_runner.exit_codes import RunnerExit
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.pages.playwright_internals.connection import watch_driver
from pageworker_runner.pages.request_permits import PermitClient
from pageworker_runner.reporting.reporter import Reporter, SendQueue
from pageworker_runner.startup import StartedRunner, start
from pageworker_runner.task_ownership import Tasks
from pageworker_sandbox.confine import ConfinementFailed, watch_children_without_threads
from pageworker_sandbox.memfd import NotSealed, read_sealed
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ProtocolViolation, WireError

TRACEBACK_CHARS = 4000


async def run_process(sock: socket.socket, environment: RunnerEnvironment) -> NoReturn:
    """Serve the supervisor on the inherited socket, then end the process."""
    watch_children_without_threads()
    loop = asyncio.get_running_loop()
    channel = Channel(sock, m.TO_SUPERVISOR, m.TO_RUNNER)
    send_queue = SendQueue(channel)
    async with TaskGroup() as group:
        tasks = Tasks(group, _exit_broken)
        tasks.install(loop)
        process = RunnerProcess(channel, Reporter(send_queue), tasks, loop.create_future())
        tasks.spawn(process.until_channel_ends(send_queue.run()))
        tasks.spawn(process.until_channel_ends(process.serve(environment)))
        code = await process.exit_code
        # A module may hold threads, and tasks that suppress their cancellation. The exit does not wait for them.
        os._exit(code)
    raise AssertionError("unreachable")


def _exit_broken(error: BaseException) -> None:
    """A bug of the runner: its further messages cannot be trusted, and a module may keep the event loop from ending."""
    # Errors of Playwright end with everything that the browser wrote, and the supervisor keeps only a part of stderr.
    print("".join(traceback.format_exception(error))[:TRACEBACK_CHARS], file=sys.__stderr__, flush=True)
    os._exit(RunnerExit.BROKEN)


class RunnerProcess:
    """What can end a runner. The first end decides the exit code."""

    def __init__(
        self, channel: Channel, reporter: Reporter, tasks: Tasks, exit_code: asyncio.Future[RunnerExit]
    ) -> None:
        self._channel = channel
        self._reporter = reporter
        self._tasks = tasks
        self.exit_code = exit_code
        self._stopping = False

    async def serve(self, environment: RunnerEnvironment) -> None:
        """Start, work until Stop, close the browser."""
        try:
            started = await start(self._channel, self._reporter, self._tasks, environment)
        except (StartError, ConfinementFailed) as error:
            self._reporter.warn(f"not started: {error}")
            await self._finish(RunnerExit.NOT_STARTED)
            return
        self._watch_browser(started)
        await MessageLoop(
            started.attempts,
            started.catalog,
            started.permits,
            self._reporter.send_queue,
            started.checkpoints.ask,
            spare=started.spare,
        ).run(self._channel)
        self._stopping = True
        # An ephemeral browser has nothing to write, and its close costs 0.35 s of processor time. It ends with this
        # process: the kernel ends everything in the sandbox.
        flushed = not started.persistent or await started.browser.close()
        await self._finish(RunnerExit.STOPPED if flushed else RunnerExit.NOT_FLUSHED)

    async def until_channel_ends(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`. A broken channel ends the runner."""
        try:
            await work
        except WireError:
            self._decide(RunnerExit.CHANNEL_LOST)

    def _watch_browser(self, started: StartedRunner) -> None:
        def on_end(*_: object) -> None:
            if not self._stopping:
                self._stopping = True
                self._tasks.spawn(self._end_without_browser(started))

        started.browser.context.on("close", on_end)
        watch_driver(started.browser.context, on_end)
        started.browser.on_exit(on_end)

    async def _end_without_browser(self, started: StartedRunner) -> None:
        self._reporter.warn("the browser ended unexpectedly")
        try:
            async with asyncio.timeout(LIMITS.browser_lost_grace_seconds):
                await started.attempts.on_browser_lost()
        except TimeoutError:
            self._reporter.warn("an attempt did not end after its browser had ended")
        await self._finish(RunnerExit.BROWSER_LOST)

    async def _finish(self, code: RunnerExit) -> None:
        """Exit once every message has been sent, or the supervisor has not read them in time."""
        try:
            async with asyncio.timeout(LIMITS.close_seconds):
                await self._reporter.send_queue.until_sent()
        except TimeoutError:
            code = RunnerExit.CHANNEL_LOST
        self._decide(code)

    def _decide(self, code: RunnerExit) -> None:
        if not self.exit_code.done():
            self.exit_code.set_result(code)


class MessageLoop:
    """Acts on the supervisor's messages, from Ready until Stop.

    One method call per message. No message waits for the work that an earlier one started.
    """

    def __init__(
        self,
        attempts: AttemptExecutor,
        catalog: Catalog,
        permits: PermitClient,
        send_queue: SendQueue,
        take_checkpoint: Callable[[int], None],
        *,
        spare: bool = False,
    ) -> None:
        """`spare`: the runner has no tenant, and takes nothing of one before `Assign`."""
        self._attempts = attempts
        self._catalog = catalog
        self._permits = permits
        self._send_queue = send_queue
        self._take_checkpoint = take_checkpoint
        self._unassigned = spare

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
            case m.Assign() if self._unassigned:
                self._unassigned = False
            case m.Ping():
                self._send_queue.put(m.Pong(number=message.number))
            case _ if self._unassigned:
                raise ProtocolViolation(f"{type(message).__name__} before Assign")
            case m.Run():
                self._attempts.start(message)
            case m.InputFile():
                self._attempts.files.add(message, descriptors[0])
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
            case m.SecretAnswer() | m.OnceAnswer():
                self._attempts.answer(message)
            case m.TakeCheckpoint():
                self._take_checkpoint(message.number)
            case m.PermitAnswer():
                self._permits.answered(message)
            case _:
                raise ProtocolViolation(f"{type(message).__name__} while READY")


def _bundle(descriptor: int) -> bytes:
    try:
        return read_sealed(descriptor, LIMITS.bundle_bytes)
    except NotSealed as error:
        raise ProtocolViolation(f"a bundle whose memfd is not sealed: {error}") from error
