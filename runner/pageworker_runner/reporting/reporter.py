"""What the runner reports: lines of its modules, its own warnings, and the request to be replaced.

Results are not reported here: attempts/executor.py sends them. `end` only marks the last line that belongs to an
attempt.
"""

import logging
import sys

from pageworker_runner.reporting.captured_output import CapturedOutput, LoggingCapture, PrintCapture
from pageworker_runner.reporting.error_text import redact, text_of
from pageworker_runner.reporting.sanitize import fit
from pageworker_runner.reporting.send_queue import SendQueue
from pageworker_sandbox.wire.messages import LogLine, Retire

MAX_REASON_CHARS = 2000


class Reporter:
    """Captures stdout, stderr and logging of this process, and sends them as log lines."""

    def __init__(self, send_queue: SendQueue) -> None:
        self.send_queue = send_queue
        self.lines = CapturedOutput(send_queue.put)
        self._printed = (PrintCapture(self.lines, "info"), PrintCapture(self.lines, "warning"))
        self._retiring = False

    def install(self) -> None:
        """From now on, what this process prints or logs becomes LogLine messages."""
        sys.stdout, sys.stderr = self._printed
        logging.getLogger().addHandler(LoggingCapture(self.lines))
        logging.getLogger().setLevel(logging.INFO)

    def end(self, attempt_id: str) -> None:
        """The attempt's result is about to be sent. Later lines do not name the attempt."""
        for printed in self._printed:
            printed.finish(attempt_id)
        self.lines.end(attempt_id)

    def warn(self, message: str) -> None:
        """Send a warning of the runner's own."""
        self.send_queue.put(LogLine(attempt_id=None, level="warning", message=fit(message, MAX_REASON_CHARS)))

    def listener_failed(self, error: BaseException) -> None:
        """Log an error that a module's event listener raised. No call waits for a listener, so none can raise it."""
        self.lines.write("error", f"An event listener raised {type(error).__name__}: {redact(text_of(error))}")

    def retire(self, reason: str) -> None:
        """Ask the supervisor to replace this runner. Only the first request is sent."""
        if not self._retiring:
            self._retiring = True
            self.send_queue.put(Retire(reason=fit(reason, MAX_REASON_CHARS)))
