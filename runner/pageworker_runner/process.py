"""A runner's whole life: start, serve, end. Every end is one exit code."""

import asyncio
import os
import socket
import sys
import traceback
from collections.abc import Coroutine
from typing import Any, NoReturn

from pageworker_runner.environment import RunnerEnvironment
from pageworker_runner.errors import StartError
from pageworker_runner.exit_codes import RunnerExit
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.playwright_internals import watch_driver
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.reporting.send_queue import SendQueue
from pageworker_runner.startup import Started, start
from pageworker_runner.task_ownership import Tasks
from pageworker_sandbox.confine import ConfinementFailed, watch_children_without_threads
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import WireError

TRACE_CHARS = 4000


async def live(sock: socket.socket, ground: RunnerEnvironment) -> NoReturn:
    """Serve on the inherited socket; ends the process."""
    watch_children_without_threads()
    loop = asyncio.get_running_loop()
    channel = Channel(sock, m.TO_SUPERVISOR, m.TO_RUNNER)
    outbox = SendQueue(channel)
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group, _break)
        tasks.install(loop)
        life = RunnerProcess(channel, Reporter(outbox), tasks, loop.create_future())
        tasks.spawn(life.until_channel_ends(outbox.run()))
        tasks.spawn(life.until_channel_ends(life.serve(ground)))
        code = await life.end
        # A module may hold tasks that swallow cancellation, and threads: nothing here waits for them.
        os._exit(code)
    raise AssertionError("unreachable")


def _break(error: BaseException) -> None:
    """A bug: nothing that this process would still say can be trusted, and modules may not let the loop end."""
    # Playwright's errors end with all that the browser ever wrote, and who reads this keeps only so much.
    print("".join(traceback.format_exception(error))[:TRACE_CHARS], file=sys.__stderr__, flush=True)
    os._exit(RunnerExit.BROKEN)


class RunnerProcess:
    """What can end a runner, and the end that came first."""

    def __init__(self, channel: Channel, reporter: Reporter, tasks: Tasks, end: asyncio.Future[RunnerExit]) -> None:
        self._channel = channel
        self._reporter = reporter
        self._tasks = tasks
        self.end = end
        self._stopping = False

    async def serve(self, ground: RunnerEnvironment) -> None:
        """Start, work until Stop, close the browser."""
        try:
            started = await start(self._channel, self._reporter, self._tasks, ground)
        except (StartError, ConfinementFailed) as error:
            self._reporter.say(f"not started: {error}")
            await self._finish(RunnerExit.NOT_STARTED)
            return
        self._watch_browser(started)
        await started.service.run(self._channel)
        self._stopping = True
        flushed = await started.browser.close()
        await self._finish(RunnerExit.STOPPED if flushed else RunnerExit.NOT_FLUSHED)

    async def until_channel_ends(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`; a broken channel is the end."""
        try:
            await work
        except WireError:
            self._decide(RunnerExit.CHANNEL_LOST)

    def _watch_browser(self, started: Started) -> None:
        def gone(*_: object) -> None:
            if not self._stopping:
                self._stopping = True
                self._tasks.spawn(self._lose_browser(started))

        started.browser.context.on("close", gone)
        watch_driver(started.browser.context, gone)
        started.browser.when_dead(gone)

    async def _lose_browser(self, started: Started) -> None:
        self._reporter.say("the browser went away")
        try:
            async with asyncio.timeout(LIMITS.browser_lost_grace_seconds):
                await started.attempts.lose_browser()
        except TimeoutError:
            self._reporter.say("an attempt did not end with the browser")
        await self._finish(RunnerExit.BROWSER_LOST)

    async def _finish(self, code: RunnerExit) -> None:
        """End once everything that was said has left; a supervisor that does not read is not waited for."""
        try:
            async with asyncio.timeout(LIMITS.close_seconds):
                await self._reporter.outbox.left()
        except TimeoutError:
            code = RunnerExit.CHANNEL_LOST
        self._decide(code)

    def _decide(self, code: RunnerExit) -> None:
        if not self.end.done():
            self.end.set_result(code)
