"""Reads the configuration, checks the host, and runs one worker in the foreground. `daemon.py` is the entry point."""

import argparse
import asyncio
import os
import signal
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import uvloop

from pageworker_sandbox.launch import HostUnfit, survey
from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.admin.control_socket import control_path
from pageworker_supervisor.api_child import ApiChild
from pageworker_supervisor.components import HostEnvironment
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import read_local
from pageworker_supervisor.config.terminal import is_journal
from pageworker_supervisor.contract.printable import printable_lines
from pageworker_supervisor.exit_codes import DaemonExit, exit_of
from pageworker_supervisor.host.data_folder import usable_data_dir
from pageworker_supervisor.host.descriptor_check import CONFIG, START, descriptor_trouble
from pageworker_supervisor.host.descriptor_limit import raise_limit
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.hardening import harden
from pageworker_supervisor.host.leave_root import way_out_of_root
from pageworker_supervisor.host.own_users import own_users
from pageworker_supervisor.host.service_manager import ServiceManager, service_manager, status_line
from pageworker_supervisor.obstore_panics import build_runtime
from pageworker_supervisor.secrets.secret_paths import secret_paths
from pageworker_supervisor.service_reports import ServiceReports
from pageworker_supervisor.telemetry import log, log_to
from pageworker_supervisor.telemetry.journal import with_priority
from pageworker_supervisor.telemetry.logs import keep_lines
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.recent_lines import RecentLines
from pageworker_supervisor.worker import VERSION, Worker

ERROR_LEVEL = 40
"""Of the line that says why the daemon ends, in the numbers of the log."""


def run() -> None:
    """One run of the daemon, with its exit code as SystemExit: exit_codes.py, and docs/operations.md."""
    options = _options()
    harden()
    manager = ServiceManager()
    raise_limit()
    with ExitStack() as stack:
        try:
            # Before the first child process starts.
            manager = stack.enter_context(closing(service_manager(os.environ)))
            local = read_local(options.config, os.environ)
            settings = local.settings()
            keep_lines(recent_lines := RecentLines())
            log_to(settings.log, worker_id=settings.worker.id)
            data_dir = usable_data_dir(settings)
            # Before there are threads: each would keep its capabilities.
            leave = way_out_of_root(settings, data_dir, secret_paths(settings.secrets, os.environ))
            users = stack.enter_context(own_users(settings.sandbox, data_dir, leave_root=leave))
            build_runtime()
            sandbox, browser = settings.sandbox, settings.browser
            host = survey(sandbox.python, browser.executable, browser.flavor, sandbox.require, users.namespace)
        except (ConfigInvalid, HostRefused, HostUnfit, OSError) as unfit:
            # A check that cannot open a file finds the host unfit for another reason, and advises in vain. Reading a
            # configuration takes fewer files than a check of the host does.
            used_up = descriptor_trouble(CONFIG if isinstance(unfit, ConfigInvalid) else START)
            end = (DaemonExit.IN_USE, used_up) if used_up else exit_of(unfit, started=False)
            raise SystemExit(_refuse(*end, manager)) from unfit
        metrics = Metrics(settings.tenants, version=VERSION, worker_id=settings.worker.id)
        metrics.runners.rights(host.rights_by_name())
        environment = HostEnvironment(
            settings, data_dir, host, metrics, uids=users.ids, local=local, recent_lines=recent_lines
        )
        _serve(environment, manager, options.config)


def _serve(environment: HostEnvironment, manager: ServiceManager, config: Path | None) -> None:
    """Run the worker until it is told to stop. An error that ends it becomes a SystemExit."""
    worker: Worker | None = None
    try:
        worker = Worker(environment)
        folder = environment.data_dir
        reports = ServiceReports(manager, worker, control_path(folder), lambda: read_local(config, os.environ))
        api = ApiChild(worker, environment.metrics.health, config, os.environ)
        uvloop.run(_run(worker, reports, api if environment.settings.api.with_worker else None))
    except BaseException as error:
        code, line = exit_of(error, started=worker is not None and worker.came_up)
        if code is DaemonExit.BUG:
            log.opt(exception=error).critical("ended by a bug")
        raise SystemExit(_refuse(code, line, manager)) from error


async def _run(worker: Worker, reports: ServiceReports, api: ApiChild | None) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        worker.stop.set()
        reports.stopping()
        # If the stop hangs, the kernel ends the daemon (SIGALRM) and every process that it started.
        signal.setitimer(signal.ITIMER_REAL, worker.longest_stop_seconds)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reports.hangup.set)
    async with TaskGroup() as tasks:
        reporting = tasks.create_task(reports.run(), name="service reports")
        if api is not None:
            tasks.create_task(api.run(), name="HTTP API")
        await worker.run()
        reporting.cancel()
    log.info("stopped")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pageworker", description="Run one worker in the foreground.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; default: $PAGEWORKER_CONFIG")
    parser.add_argument("--version", action="version", version=f"pageworker {VERSION}")
    return parser.parse_args()


def _refuse(code: DaemonExit, why: str, manager: ServiceManager) -> int:
    manager.send(status_line("; ".join(why.splitlines())))
    text = printable_lines(why) + "\n"
    sys.stderr.write(with_priority(text, ERROR_LEVEL) if is_journal(sys.stderr) else text)
    return code
