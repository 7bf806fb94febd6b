"""The step log of one attempt, as far as its runner has reported it: the newest steps, within bounds. Pure."""

import datetime as dt
from collections.abc import Iterator

import msgspec

from pageworker_sandbox.wire.messages import StepReport
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.secrets.masker import SecretMasker

KEPT_STEPS = 100
KEPT_BYTES = 32 * 1024
"""Of the JSON of all steps together."""


class StepLog:
    """Reports by number. What the bounds leave out is the oldest."""

    def __init__(self) -> None:
        self.newest: StepReport | None = None
        """What was reported last: the begin or the end of a step."""
        self._reports: dict[int, StepReport] = {}

    def add(self, report: StepReport) -> bool:
        """Keep a step, or the end of one. True: it is new."""
        new = report.number not in self._reports
        self.newest = self._reports[report.number] = report
        while len(self._reports) > KEPT_STEPS:
            del self._reports[next(iter(self._reports))]
        return new and report.seconds is None

    def records(self, began: dt.datetime, masker: SecretMasker) -> tuple[StepRecord, ...]:
        """The steps in the order in which they began, without secrets. `began`: when the handler did."""
        return newest_within(tuple(step_record(each, began, masker) for each in self._in_order()))

    def _in_order(self) -> Iterator[StepReport]:
        for number in sorted(self._reports):
            yield self._reports[number]


def step_record(report: StepReport, began: dt.datetime, masker: SecretMasker) -> StepRecord:
    """One step as users see it. Its attempt is not known here."""
    mask = masker.text if masker else str
    return StepRecord(
        number=report.number,
        at=began + dt.timedelta(seconds=report.at_seconds),
        text=mask(report.text),
        fields={mask(name): mask(value) for name, value in report.fields.items()},
        seconds=None if report.seconds is None else round(report.seconds, 6),
        error=None if report.error is None else mask(report.error),
    )


def newest_within(
    steps: tuple[StepRecord, ...], most: int = KEPT_STEPS, most_bytes: int = KEPT_BYTES
) -> tuple[StepRecord, ...]:
    """The newest of these steps, at most `most`, whose JSON has at most `most_bytes` together."""
    kept = len(steps)
    while kept > 0 and len(steps) - kept < most:
        most_bytes -= len(msgspec.json.encode(steps[kept - 1])) + 1
        if most_bytes < 0:
            break
        kept -= 1
    return steps[kept:]
