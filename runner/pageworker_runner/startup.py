"""How a runner comes up, step by step. After `confine` this process has no rights left but its pipes and its socket."""

import socket
from dataclasses import dataclass

from playwright.async_api import Error as BrowserError

from pageworker_runner import browser, browser_sandbox_check
from pageworker_runner.attempts import Attempts
from pageworker_runner.environment import RunnerEnvironment, programs
from pageworker_runner.errors import StartError
from pageworker_runner.handler import crashed
from pageworker_runner.message_loop import MessageLoop
from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.pages.playwright_internals import tame_listener_errors
from pageworker_runner.pages.pool import PagePool, PagePoolPlan
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import Tasks, own_work
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ProtocolViolation

LISTEN_BACKLOG = 512


@dataclass(frozen=True)
class Started:
    """A runner that is up."""

    browser: browser.Browser
    attempts: Attempts
    service: MessageLoop


async def start(channel: Channel, reporter: Reporter, tasks: Tasks, ground: RunnerEnvironment) -> Started:
    """The checklist. Raises StartError, ConfinementFailed, WireError."""
    boot = await _greet(channel, reporter)
    port = _listen(reporter)
    ground.confinement.allow_exec(programs(boot.browser))
    try:
        with own_work():
            running = await browser.launch(boot, ground.profile, port)
            # Before the pool looks who comes and goes: the page that is asked is nobody's.
            seen = await browser_sandbox_check.chromium_sandbox(running.context)
            attempts = Attempts(boot, Catalog(), reporter, tasks)
            pool = PagePool(
                running.context,
                PagePoolPlan(
                    pages=boot.pages,
                    persistent=boot.persistent,
                    recycle_seconds=boot.recycle_seconds,
                    max_jobs=boot.max_jobs,
                    default_timeout_seconds=boot.default_timeout_seconds,
                ),
                tasks,
                reporter,
                lambda attempt_id: attempts.decide(attempt_id, crashed()),
            )
            await pool.fill()
    except BrowserError as error:
        raise StartError(f"browser: it went away while it came up: {str(error)[:2000]}") from error
    tame_listener_errors(running.context, reporter.listener_failed)
    reporter.install()
    answers = ground.confinement.confine()
    reporter.outbox.put(
        m.Ready(
            browser_version=running.version,
            pages=boot.pages,
            evidence={**answers, "chromium_sandbox": seen},
        )
    )
    return Started(running, attempts, MessageLoop(attempts, pool, reporter.outbox))


async def _greet(channel: Channel, reporter: Reporter) -> m.Boot:
    reporter.outbox.put(m.Hello(protocol=m.PROTOCOL))
    boot, _ = await channel.receive()
    if not isinstance(boot, m.Boot) or boot.protocol != m.PROTOCOL:
        raise ProtocolViolation(f"{type(boot).__name__}, not a Boot of protocol {m.PROTOCOL}")
    return boot


def _listen(reporter: Reporter) -> int:
    """A listener on our own loopback, for the gateway outside: the only way out of this network namespace."""
    with socket.create_server(("127.0.0.1", 0), backlog=LISTEN_BACKLOG) as listener:
        port: int = listener.getsockname()[1]
        reporter.outbox.put(m.Listener(port=port), [listener.detach()])
    return port
