"""Writes the log lines that a runner sends: of its modules, of their pages, and its own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pageworker_sandbox.wire.messages import LogLine, StepReport
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.telemetry.logs import OF_THE_JOB

if TYPE_CHECKING:
    from loguru import Logger


def write_line(line: LogLine, page: PageReservation | None, runner_log: "Logger") -> None:
    """Write one line, masked by the secrets of its attempt. `page`: of the attempt; None: the runner's own line."""
    log = page.log if page is not None else runner_log
    _write(log, line.level, line.source, line.message, line.fields, page.masker if page is not None else None)


def write_step(step: StepReport, page: PageReservation) -> None:
    """Write a step of the module as a line of its attempt."""
    _write(page.log.bind(step=step.number), "info", "module", step.text, step.fields, page.masker)


def _write(
    log: "Logger", level: str, source: str, text: str, fields: Mapping[str, str], masker: SecretMasker | None
) -> None:
    if masker:
        text = masker.text(text)
        fields = {masker.text(key): masker.text(value) for key, value in fields.items()}
    named = {f"{source}_{key}": value for key, value in fields.items()}
    # What hostile code names must not replace what the supervisor knows of its job.
    log.bind(**{f"{name}_" if name in OF_THE_JOB else name: value for name, value in named.items()}).log(
        level.upper(), f"{source}: {{}}", text
    )
