"""The logger, where its lines go, and the standard library's loggers led into it."""

import logging
import sys
from typing import TYPE_CHECKING, TextIO

from loguru import logger as log

from pageworker_supervisor.config.settings import LogSettings
from pageworker_supervisor.telemetry.log_lines import json_line, text_line

if TYPE_CHECKING:
    from loguru import Message, Record

__all__ = ["log", "log_to"]

QUIET = {"httpx": logging.WARNING, "httpcore": logging.WARNING, "uvicorn.error": logging.ERROR}
"""The first two log the URLs they call, and a callback URL is a capability: whoever has it can resume the flow. uvicorn
writes a line for each request that is no HTTP, so that any local user could fill the log."""


def log_to(settings: LogSettings, stream: TextIO | None = None, **fields: str) -> None:
    """Send everything to `stream` (default: stdout). `fields` are on every line, e.g. `worker_id`.

    May be called again; the last call counts. Not before it is called does the standard library's logging
    come here.
    """
    target = sys.stdout if stream is None else stream
    line = json_line if settings.format == "json" else text_line

    def write(message: "Message") -> None:
        try:
            target.write(line(message.record))
            target.flush()
        except OSError:
            # A full disk or a reader that is gone: there is no other place to say it, and no work must end for it.
            return

    log.remove()
    log.configure(extra=dict(fields))
    # The format is empty because `write` renders the record itself: loguru's own `serialize` takes several
    # times as long. `diagnose` would print the values of variables, secrets among them.
    log.add(write, level=settings.level.upper(), format=_nothing, backtrace=False, diagnose=False, catch=True)
    libraries = logging.INFO if settings.level == "debug" else logging.WARNING
    logging.basicConfig(handlers=[Routed()], level=libraries, force=True)
    logging.captureWarnings(True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(least)


class Routed(logging.Handler):
    """Hands the standard library's records on to `log`."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record, with its logger's name as a field."""
        level = record.levelname if record.levelname in _LEVELS else "WARNING"
        log.opt(exception=record.exc_info).bind(logger=record.name).log(level, "{}", record.getMessage())


_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})


def _nothing(_: "Record") -> str:
    return ""
