"""Reads the configuration, checks the host, and runs one worker in the foreground. `daemon.py` is the entry point."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from pageworker_sandbox.launch import HostUnfit, survey
from pageworker_supervisor.components import HostEnvironment
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import read_local
from pageworker_supervisor.contract.printable import printable_lines
from pageworker_supervisor.exit_codes import DaemonExit, exit_of
from pageworker_supervisor.host.descriptor_check import CONFIG, START, descriptor_trouble
from pageworker_supervisor.host.descriptor_limit import raise_limit
from pageworker_supervisor.host.hardening import harden
from pageworker_supervisor.host.user_ids import reserved
from pageworker_supervisor.obstore_panics import build_runtime
from pageworker_supervisor.telemetry import log, log_to
from pageworker_supervisor.telemetry.logs import keep_lines
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.recent_lines import RecentLines
from pageworker_supervisor.worker import VERSION, Worker


def run() -> None:
    """One run of the daemon, with its exit code as SystemExit: exit_codes.py, and docs/operations.md."""
    options = _options()
    harden()
    raise_limit()
    try:
        build_runtime()
        local = read_local(options.config, os.environ)
        settings = local.settings()
        data_dir = data_dir_of(settings)
        host = survey(settings.sandbox.python, settings.browser.executable, settings.browser.flavor)
    except (ConfigInvalid, HostUnfit, OSError) as unfit:
        # A check that cannot open a file finds the host unfit for another reason, and advises in vain. Reading a
        # configuration takes fewer files than a check of the host does.
        used_up = descriptor_trouble(CONFIG if isinstance(unfit, ConfigInvalid) else START)
        end = (DaemonExit.IN_USE, used_up) if used_up else exit_of(unfit, started=False)
        raise SystemExit(_refuse(*end)) from unfit
    recent_lines = RecentLines()
    keep_lines(recent_lines)
    log_to(settings.log, worker_id=settings.worker.id)
    metrics = Metrics(settings.tenants, version=VERSION, worker_id=settings.worker.id)
    came_up = False
    try:
        with reserved(settings.sandbox, data_dir) as uids:
            environment = HostEnvironment(
                settings, data_dir, host, metrics, uids=uids, local=local, recent_lines=recent_lines
            )
            worker = Worker(environment)
            try:
                uvloop.run(_run(worker))
            finally:
                came_up = worker.came_up
    except BaseException as error:
        code, line = exit_of(error, started=came_up)
        if code is DaemonExit.BUG:
            log.opt(exception=error).critical("ended by a bug")
        raise SystemExit(_refuse(code, line)) from error


async def _run(worker: Worker) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        worker.stop.set()
        # If the stop hangs, the kernel ends the daemon (SIGALRM) and every process that it started.
        signal.setitimer(signal.ITIMER_REAL, worker.longest_stop_seconds)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await worker.run()
    log.info("stopped")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pageworker", description="Run one worker in the foreground.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; default: $PAGEWORKER_CONFIG")
    parser.add_argument("--version", action="version", version=f"pageworker {VERSION}")
    return parser.parse_args()


def _refuse(code: DaemonExit, why: str) -> int:
    sys.stderr.write(printable_lines(why) + "\n")
    return code
