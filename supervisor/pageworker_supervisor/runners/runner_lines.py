"""Writes the log lines that a runner sends: of its modules, of their pages, and its own."""

from typing import TYPE_CHECKING

from pageworker_sandbox.wire.messages import LogLine
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.telemetry.logs import OF_THE_JOB

if TYPE_CHECKING:
    from loguru import Logger


def write_line(line: LogLine, page: PageReservation | None, runner_log: "Logger") -> None:
    """Write one line, masked by the secrets of its attempt. `page`: of the attempt; None: the runner's own line."""
    text, fields = line.message, line.fields
    if page is not None and page.masker:
        text = page.masker.text(text)
        fields = {page.masker.text(key): page.masker.text(value) for key, value in fields.items()}
    log = page.log if page is not None else runner_log
    named = {f"{line.source}_{key}": value for key, value in fields.items()}
    # What hostile code names must not replace what the supervisor knows of its job.
    log.bind(**{f"{name}_" if name in OF_THE_JOB else name: value for name, value in named.items()}).log(
        line.level.upper(), f"{line.source}: {{}}", text
    )
