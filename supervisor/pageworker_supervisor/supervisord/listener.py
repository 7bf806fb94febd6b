"""`pageworker-supervisord-listener`: writes a log line for each change of the worker's process under supervisord.

Log lines go to stderr: stdout belongs to supervisord's protocol. If `redis.url` is set, what an operator has to know is
published on `pw:events:_fleet` too. deploy/supervisord has the configuration.
"""

import argparse
import asyncio
import datetime as dt
import fnmatch
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.redis_client import connect
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.supervisord.process_event import (
    ProcessChange,
    UnreadableEvent,
    event_of,
    parse_change,
    parse_header,
    report_of,
)
from pageworker_supervisor.telemetry import log, log_to

READY, ACKNOWLEDGED = b"READY\n", b"RESULT 2\nOK"
PUBLISH_SECONDS = 2.0
"""supervisord keeps only `buffer_size` events for a listener that is busy."""


def main() -> None:
    """Entry point. Ends with supervisord. Exit codes: 1: supervisord sent something unreadable; 2: usage."""
    options = _options()
    if not os.environ.get("SUPERVISOR_ENABLED"):
        sys.stderr.write("only supervisord starts this program, as an event listener: see docs/supervisord.md\n")
        raise SystemExit(2)
    log_to(_log_settings(options.config), sys.stderr)
    reporter = ChangeReporter(options.config, options.program, own_name())
    try:
        listen(sys.stdin.buffer, sys.stdout.buffer, reporter.report)
    except UnreadableEvent as unreadable:
        log.error("supervisord sent an event that cannot be read", reason=str(unreadable))
        raise SystemExit(1) from unreadable


def listen(events: BinaryIO, answers: BinaryIO, report: Callable[[ProcessChange], None]) -> None:
    """Report every change, until supervisord closes the pipe. Blocks. Raises UnreadableEvent."""
    try:
        while True:
            _answer(answers, READY)
            line = events.readline()
            if not line:
                return
            header = parse_header(line)
            event = events.read(header.length)
            if len(event) < header.length:
                return
            change = parse_change(header.name, event)
            if change is not None:
                report(change)
            _answer(answers, ACKNOWLEDGED)
    except BrokenPipeError:
        return


class ChangeReporter:
    """Logs and publishes the changes of processes whose name matches `program`, except those of `own`, the listener."""

    def __init__(self, config: Path | None, program: str, own: str) -> None:
        self._config = config
        self._program = program
        self._own = own

    def report(self, change: ProcessChange) -> None:
        """Blocks for PUBLISH_SECONDS, or until the name of the Redis is resolved. Never fails: an event that cannot be
        published has its log line."""
        if change.process == self._own or not fnmatch.fnmatchcase(change.process, self._program):
            return
        level, message = report_of(change)
        fields = {"process": change.process, "state": change.state, "from_state": change.from_state}
        log.bind(**fields, pid=change.pid, tries=change.tries).log(level, message)
        event = event_of(change, socket.gethostname(), dt.datetime.now(dt.UTC))
        if event is None:
            return
        try:
            # Read each time: changes are rare, and the configuration may be what keeps the worker from starting.
            settings = load(self._config, os.environ)
            if settings.redis.url is not None:
                asyncio.run(_publish(settings, event))
        except (ConfigInvalid, RedisClientError, TimeoutError) as error:
            log.info("event not published", reason=str(error) or f"no answer within {PUBLISH_SECONDS:g} s")


async def _publish(settings: Settings, event: dict[str, Any]) -> None:
    """Raises RedisClientError, TimeoutError."""
    channel = f"{settings.redis.prefix}:events:_fleet"
    redis_client = connect(settings.redis)
    try:
        async with asyncio.timeout(PUBLISH_SECONDS):
            await redis_client.send("PUBLISH", channel, msgspec.json.encode(event), key=channel)
    finally:
        await redis_client.aclose()


def own_name() -> str:
    """The listener's own name in `supervisorctl`. supervisord passes it in the environment."""
    process, group = (os.environ.get(f"SUPERVISOR_{part}_NAME", "") for part in ("PROCESS", "GROUP"))
    return process if process == group else f"{group}:{process}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pageworker-supervisord-listener", description="Report what becomes of a worker under supervisord."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; default: $PAGEWORKER_CONFIG")
    parser.add_argument(
        "--program",
        default="pageworker*",
        metavar="GLOB",
        help="which processes, by their names in supervisorctl; default: pageworker*",
    )
    return parser.parse_args()


def _log_settings(config: Path | None) -> LogSettings:
    """The worker's own. The defaults if its configuration is invalid: that is to be reported."""
    try:
        return load(config, os.environ).log
    except ConfigInvalid:
        return LogSettings()


def _answer(answers: BinaryIO, text: bytes) -> None:
    answers.write(text)
    answers.flush()


if __name__ == "__main__":
    main()
