"""`pageworker-api --config FILE`: the entry point of the HTTP API."""

import argparse
import asyncio
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import uvloop

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.access.token_reader import TokenReader
from pageworker_supervisor.api.server import ApiServer
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import LocalLayers, read_local
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable_lines
from pageworker_supervisor.exit_codes import DaemonExit
from pageworker_supervisor.host.descriptor_limit import raise_limit
from pageworker_supervisor.host.hardening import harden
from pageworker_supervisor.obstore_panics import build_runtime
from pageworker_supervisor.redis_client import RedisClient, connect, connect_embedded
from pageworker_supervisor.redis_client.redis_folder import RedisFolder
from pageworker_supervisor.telemetry import log, log_to

NOT_SET = 'api.bind is not set, so there is no API; set it, e.g. api.bind = "127.0.0.1:9480"'
NO_REDIS = "no worker has started a Redis in {folder}, and redis.url is not set; start `pageworker`, or set redis.url"


def main() -> None:
    """Entry point. Exit codes as those of `pageworker`: 0 stopped, 1 a bug, 2 a wrong setting, 3 a port or a Redis that
    is not there."""
    options = _options()
    harden()
    raise_limit()
    try:
        local = read_local(options.config, os.environ)
        settings = local.settings()
    except ConfigInvalid as invalid:
        raise SystemExit(_refuse(DaemonExit.MISCONFIGURED, str(invalid))) from invalid
    if settings.api.bind is None:
        raise SystemExit(_refuse(DaemonExit.MISCONFIGURED, NOT_SET))
    log_to(settings.log)
    try:
        build_runtime()
        uvloop.run(_run(settings.api.bind, local, settings))
    except OSError as error:
        raise SystemExit(_refuse(DaemonExit.IN_USE, str(error))) from error


async def _run(bind: str, local: LocalLayers, settings: Settings) -> None:
    redis_client = _redis_client(settings)
    try:
        server = ApiServer.open(bind, redis_client, local, settings, lambda queue: TokenReader(queue.access_tokens))
        log.info("the API listens", address=f"{server.address[0]}:{server.address[1]}")
        async with TaskGroup() as tasks:
            serving = tasks.create_task(server.run(), name="api")
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        log.info("stopped")
    finally:
        await redis_client.aclose()


def _redis_client(settings: Settings) -> RedisClient:
    """Raises OSError if the embedded Redis does not run."""
    if settings.redis.url is not None:
        return connect(settings.redis)
    data_dir = data_dir_of(settings)
    if not RedisFolder(data_dir).port.exists():
        raise OSError(NO_REDIS.format(folder=data_dir))
    return connect_embedded(settings.redis, data_dir)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pageworker-api", description="Serve the HTTP API in the foreground.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; default: $PAGEWORKER_CONFIG")
    parser.add_argument("--version", action="version", version=f"pageworker-api {version('pageworker')}")
    return parser.parse_args()


def _refuse(code: DaemonExit, why: str) -> int:
    sys.stderr.write(printable_lines(why) + "\n")
    return code


if __name__ == "__main__":
    main()
