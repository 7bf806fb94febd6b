"""Sets up the logger, and routes the loggers of the standard library into it."""

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TextIO

from loguru import logger as log

from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.config.terminal import is_journal, may_have_colours
from pageworker_supervisor.telemetry.journal import with_priority
from pageworker_supervisor.telemetry.log_lines import json_line, text_line
from pageworker_supervisor.telemetry.recent_lines import RecentLines

if TYPE_CHECKING:
    from loguru import Message, Record

__all__ = ["AUDIT", "log", "log_for_author", "log_to", "mask_lines"]

MODULE_LINE, MODULE_FIELD = "module: ", "module_"
"""How the message and the fields of a module's log line begin."""
OF_THE_JOB = frozenset({"module_version"})
"""Fields that every line of a job has, although they begin like those of a module."""

QUIET = {"httpx": logging.WARNING, "httpcore": logging.WARNING, "uvicorn.error": logging.ERROR}
"""Lowest level of some libraries. httpx and httpcore log the URLs that they call, and with a callback URL anyone can
resume the flow. uvicorn logs each request that is not HTTP, so any local user could fill the log."""

AUDIT = log.level("AUDIT", no=60).name
"""Level of lines that an operator must be able to rely on: no `log.level` leaves them out."""

_mask: Callable[[str], str] | None = None


def mask_lines(mask: Callable[[str], str] | None) -> None:
    """Pass every line through `mask` before it is written. The last call counts; None ends it."""
    global _mask
    _mask = mask


_kept: RecentLines | None = None


def keep_lines(kept: RecentLines | None) -> None:
    """Keep every line in this list as well. The last call counts; None ends it."""
    global _kept
    _kept = kept


def log_to(settings: LogSettings, stream: TextIO | None = None, **fields: str) -> None:
    """Write all log lines to `stream` (default: stdout). `fields` are on every line, e.g. `worker_id`.

    May be called again: the last call counts. The logging of the standard library is routed here from the first call
    on.
    """
    target = sys.stdout if stream is None else stream
    line: Callable[[Record], str] = json_line
    if settings.format == "text":
        line = partial(text_line, coloured=may_have_colours(target))
    journalled = is_journal(target)

    def write(message: "Message") -> None:
        try:
            text = _masked(line(message.record))
            if _kept is not None:
                kept = text if line is json_line else _masked(json_line(message.record))
                _kept.add(message.record["level"].no, kept)
            target.write(with_priority(text, message.record["level"].no) if journalled else text)
            target.flush()
        except OSError:
            # The disk is full or the reader is gone. There is no other place to report it, and jobs must go on.
            return

    log.remove()
    log.configure(extra=dict(fields))
    # The format is empty because `write` formats the record itself: `serialize` of loguru takes several times as
    # long. `diagnose` would print values of variables, also secrets.
    log.add(write, level=settings.level.upper(), format=_nothing, backtrace=False, diagnose=False, catch=True)
    libraries = logging.INFO if settings.level == "debug" else logging.WARNING
    logging.basicConfig(handlers=[StandardLibraryHandler()], level=libraries, force=True)
    logging.captureWarnings(True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(least)


def _masked(text: str) -> str:
    return text if _mask is None else _mask(text)


def log_for_author(stream: TextIO) -> None:
    """Write all log lines of modules to `stream`, and the warnings and errors of everything else: text for people."""

    def write(message: "Message") -> None:
        record = message.record
        text, fields = record["message"], record["extra"]
        if text.startswith(MODULE_LINE):
            named = (name for name in fields if name.startswith(MODULE_FIELD) and name not in OF_THE_JOB)
            own = {name.removeprefix(MODULE_FIELD): fields[name] for name in named}
            record["message"], record["extra"] = text.removeprefix(MODULE_LINE), own
        elif record["level"].no < logging.WARNING:
            return
        line = text_line(record)
        stream.write(line if _mask is None else _mask(line))

    log.remove()
    log.add(write, level="DEBUG", format=_nothing, backtrace=False, diagnose=False, catch=True)


class StandardLibraryHandler(logging.Handler):
    """Passes records of the standard library on to `log`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record, with the name of its logger as a field."""
        level = record.levelname if record.levelname in _LEVELS else "WARNING"
        log.opt(exception=record.exc_info).bind(logger=record.name).log(level, "{}", record.getMessage())


_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})


def _nothing(_: "Record") -> str:
    return ""
