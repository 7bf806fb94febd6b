"""`pageworker --config FILE`: reads the configuration, looks at the host, runs one worker in the foreground."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from pageworker_sandbox.launch import HostUnfit, survey
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.place import data_dir_of
from pageworker_supervisor.contract.printable import printable_lines
from pageworker_supervisor.host.descriptors import raise_limit
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.hardening import harden
from pageworker_supervisor.host.user_ids import reserved
from pageworker_supervisor.rooms import Site
from pageworker_supervisor.telemetry import log, log_to
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.worker import VERSION, Worker


def main() -> None:
    """Entry point. Exit codes: 0 stopped in good order, 1 failed, 2 the configuration or the host is not fit."""
    options = _options()
    harden()
    raise_limit()
    try:
        settings = load(options.config, os.environ)
        data_dir = data_dir_of(settings)
        host = survey(settings.sandbox.python, settings.browser.executable)
    except (ConfigInvalid, HostUnfit) as unfit:
        sys.exit(_refuse(str(unfit)))
    log_to(settings.log, worker_id=settings.worker.id)
    metrics = Metrics(settings.tenants, version=VERSION, worker_id=settings.worker.id)
    try:
        with reserved(settings.sandbox, data_dir) as uids:
            _serve(Site(settings, data_dir, host, metrics, uids=uids))
    except HostRefused as refused:
        sys.exit(_refuse(str(refused)))


def _serve(site: Site) -> None:
    try:
        uvloop.run(_run(site))
    except* OSError as group:
        sys.exit(_refuse("; ".join(str(error) for error in group.exceptions)))


async def _run(site: Site) -> None:
    worker = Worker(site)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop.set)
    await worker.run()
    log.info("stopped")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pageworker", description="Run one worker in the foreground.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; without it, defaults and PAGEWORKER_*")
    parser.add_argument("--version", action="version", version=f"pageworker {VERSION}")
    return parser.parse_args()


def _refuse(why: str) -> int:
    sys.stderr.write(printable_lines(why) + "\n")
    return 2


if __name__ == "__main__":
    main()
