"""How a runner starts, step by step. After `confine` its process has no rights left but its pipes and its socket."""

import asyncio
import os
import resource
import socket
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Error as BrowserError

from pageworker import devices
from pageworker_runner.attempts.executor import AttemptExecutor
from pageworker_runner.attempts.running_attempt import page_crashed
from pageworker_runner.browser.browser import RunnerBrowser, launch
from pageworker_runner.browser.checkpoint import NOTHING_KNOWN, folder_times, restore
from pageworker_runner.browser.checkpoint_taker import CheckpointTaker
from pageworker_runner.browser.empty_proof import files_in, stored_in
from pageworker_runner.browser.profile_marker import profile_marker
from pageworker_runner.browser.sandbox_check import chromium_sandbox
from pageworker_runner.environment import RunnerEnvironment, programs
from pageworker_runner.errors import StartError
from pageworker_runner.interpreter.state import InterpreterState
from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.pages import client_guard, package_files
from pageworker_runner.pages.failure_translator import FailureTranslator
from pageworker_runner.pages.gateway_headers import GatewayHeaders
from pageworker_runner.pages.gateway_reports import GatewayReports
from pageworker_runner.pages.playwright_internals.driver_files import node_program
from pageworker_runner.pages.playwright_internals.listeners import report_listener_errors
from pageworker_runner.pages.pool import PagePool, PagePoolSettings
from pageworker_runner.pages.request_blocker import RequestBlocker
from pageworker_runner.pages.request_limiter import RequestLimiter
from pageworker_runner.pages.request_permits import PermitClient
from pageworker_runner.pages.server_addresses import ServerAddresses
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import Tasks, own_work
from pageworker_runner.thread_ownership import Threads
from pageworker_sandbox.memfd import NotSealed, read_sealed
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ProtocolViolation

LISTEN_BACKLOG = 512


@dataclass(frozen=True)
class StartedRunner:
    """A runner that is ready for attempts."""

    browser: RunnerBrowser
    attempts: AttemptExecutor
    catalog: Catalog
    permits: PermitClient
    checkpoints: CheckpointTaker
    persistent: bool
    """Whether the browser has a profile to write when it closes."""
    spare: bool = False
    """It has no tenant yet."""


async def start(channel: Channel, reporter: Reporter, tasks: Tasks, environment: RunnerEnvironment) -> StartedRunner:
    """Do every step in order. Raises StartError, ConfinementFailed, WireError."""
    boot, failures = await _greet(channel, reporter)
    checkpoint = await _checkpoint(channel) if boot.restores else None
    port = _listen(reporter)
    environment.confinement.allow_exec(programs(boot.browser, node_program()))
    try:
        with own_work():
            files, times = files_in(environment.profile), folder_times(environment.profile)
            browser = await launch(boot, environment.profile, port)
            limit_own_data(boot.memory_bytes)
            devices.fill(browser.playwright.devices)
            failures.watch()
            translator = FailureTranslator(browser.context, failures)
            GatewayHeaders(browser.context)
            ServerAddresses(browser.context, failures)
            permits = PermitClient(boot.limited_hosts, reporter.send_queue.put)
            await RequestLimiter(browser.context, permits, failures, tasks).start()
            # Before the pool watches for new pages: the page of this check belongs to no attempt.
            sandbox = await chromium_sandbox(browser.context, Path(boot.browser))
            empty = {} if boot.persistent else {"profile_files": str(files), **await stored_in(browser.context)}
            marker = {"profile_marker": profile_marker(browser.pid)} if boot.persistent else {}
            restored, known = {}, NOTHING_KNOWN
            if checkpoint is not None:
                result, known = await restore(browser.context, *checkpoint, times)
                restored = {"checkpoint": result}
            catalog = Catalog()
            pool = PagePool(
                browser.context,
                _pool_settings(boot),
                tasks,
                reporter,
                lambda attempt_id: attempts.force_result(attempt_id, page_crashed()),
            )
            blocker = RequestBlocker(boot.options, pool.running_by_target, failures)
            await blocker.start(browser.context)
            interpreter = InterpreterState()
            threads = Threads()
            threads.install()
            attempts = AttemptExecutor(
                boot, catalog, pool, translator, reporter, tasks, threads, interpreter, blocker.take
            )
            if boot.browser_log != "off":
                browser.context.on("console", attempts.browser_lines.on_console)
                browser.context.on("weberror", attempts.browser_lines.on_error)
            report_listener_errors(browser.context, attempts.listener_failed)
            client_guard.install(pool.recorder, pool.belongs_to, pool.pages_of, attempts.requests, attempts.warn)
            package_files.install(catalog.read_file, catalog.list_folder)
            await pool.fill([interpreter])
    except BrowserError as error:
        raise StartError(f"browser: it ended while the pages were opened: {str(error)[:2000]}") from error
    reporter.install()
    answers = environment.confinement.confine()
    interpreter.settle(asyncio.get_running_loop())
    reporter.send_queue.put(
        m.Ready(
            browser_version=browser.version,
            pages=boot.pages,
            evidence={**answers, **empty, **marker, **restored, "chromium_sandbox": sandbox},
        )
    )
    checkpoints = CheckpointTaker(browser.context, pool, tasks, reporter, known)
    return StartedRunner(browser, attempts, catalog, permits, checkpoints, boot.persistent, boot.spare)


def limit_own_data(memory_bytes: int) -> None:
    """From now on this process allocates at most `memory_bytes`: module code that asks for more gets a MemoryError.

    Processes that were started before keep the higher limit: for them a cgroup counts, and reports what it refuses.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if memory_bytes and (soft == resource.RLIM_INFINITY or memory_bytes < soft):
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard))


def _pool_settings(boot: m.Boot) -> PagePoolSettings:
    return PagePoolSettings(
        pages=boot.pages,
        persistent=boot.persistent,
        recycle_seconds=boot.recycle_seconds,
        max_jobs=boot.max_jobs,
        default_timeout_seconds=boot.default_timeout_seconds,
        options=boot.options,
    )


async def _greet(channel: Channel, reporter: Reporter) -> tuple[m.Boot, GatewayReports]:
    reporter.send_queue.put(m.Hello(protocol=m.PROTOCOL))
    boot, descriptors = await channel.receive()
    if not isinstance(boot, m.Boot) or boot.protocol != m.PROTOCOL:
        raise ProtocolViolation(f"{type(boot).__name__} instead of a Boot of protocol {m.PROTOCOL}")
    return boot, GatewayReports(descriptors[0])


async def _checkpoint(channel: Channel) -> tuple[bytes, float]:
    """Its bytes, and when it was taken."""
    message, descriptors = await channel.receive()
    try:
        if not isinstance(message, m.Restore):
            raise ProtocolViolation(f"{type(message).__name__} instead of a Restore")
        return read_sealed(descriptors[0], m.MAX_CHECKPOINT_BYTES), message.taken_at
    except NotSealed as error:
        raise ProtocolViolation(f"a checkpoint whose memfd is not sealed: {error}") from error
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _listen(reporter: Reporter) -> int:
    """Listen on the loopback of this network namespace. The egress gateway outside accepts there: the only way out."""
    with socket.create_server(("127.0.0.1", 0), backlog=LISTEN_BACKLOG) as listener:
        port: int = listener.getsockname()[1]
        reporter.send_queue.put(m.Listener(port=port), [listener.detach()])
    return port
