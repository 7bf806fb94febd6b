"""The step log of one attempt. Each step is sent at once, so that the supervisor has it if this runner dies."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from msgspec import structs

from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.step_report import MAX_STEP_FIELDS, MAX_STEP_TEXT, MAX_STEP_VALUE

FIELDS_CHARS = 2000
"""Characters of the names and values of one step's fields together."""
MORE_STEPS = f"more steps were left out: an attempt reports at most {m.MAX_STEPS}"


@dataclass
class StepRecorder:
    """At most MAX_STEPS steps are sent, the first ones. `clock`: monotonic seconds."""

    attempt_id: str
    put: Callable[[m.Message], None]
    warn: Callable[[str], None]
    """Called once, for the first step that is left out."""
    began: float
    """When the handler began. Monotonic seconds."""
    clock: Callable[[], float] = field(default=time.monotonic)
    _count: int = 0
    _warned: bool = False
    _closed: bool = False

    def step(self, text: object, fields: Mapping[str, object]) -> "OpenStep":
        """Send a step of now. What is returned may be used as a block: the step is sent again when that ends."""
        if self._count == m.MAX_STEPS:
            if not self._warned:
                self._warned = True
                self.warn(MORE_STEPS)
            return OpenStep(self, None)
        self._count += 1
        report = m.StepReport(
            attempt_id=self.attempt_id,
            number=self._count,
            text=fit(str(text), MAX_STEP_TEXT) or "step",
            fields=fit_fields(fields, count=MAX_STEP_FIELDS, value_chars=MAX_STEP_VALUE, total_chars=FIELDS_CHARS),
            at_seconds=max(0.0, self.clock() - self.began),
        )
        self._send(report)
        return OpenStep(self, report)

    def ended(self, report: m.StepReport, error: BaseException | None) -> None:
        """The block of a step is over. `error`: what ended it."""
        seconds = max(0.0, self.clock() - self.began - report.at_seconds)
        name = None if error is None else fit(type(error).__name__, 64)
        self._send(structs.replace(report, seconds=seconds, error=name))

    def close(self) -> None:
        """The result is about to be sent: later steps belong to no attempt."""
        self._closed = True

    def _send(self, report: m.StepReport) -> None:
        if not self._closed:
            self.put(report)


@dataclass(frozen=True)
class OpenStep:
    """A step that was sent. Used as a block, it also tells how long the block took, and which error ended it."""

    recorder: StepRecorder
    report: m.StepReport | None
    """None: it was left out."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.report is not None:
            self.recorder.ended(self.report, error)
