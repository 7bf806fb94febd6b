"""What the runner tells the supervisor beside results: lines of its modules, and that it wants to be replaced."""

import logging
import sys

from pageworker_runner.reporting.captured_output import CapturedOutput, Logged, Printed
from pageworker_runner.reporting.error_text import redact, words
from pageworker_runner.reporting.sanitize import fit
from pageworker_runner.reporting.send_queue import SendQueue
from pageworker_sandbox.wire.messages import LogLine, Retire


class Reporter:
    """Owns the module-facing ends of stdout, stderr and logging."""

    def __init__(self, outbox: SendQueue) -> None:
        self.outbox = outbox
        self.lines = CapturedOutput(outbox.put)
        self._printed = (Printed(self.lines, "info"), Printed(self.lines, "warning"))
        self._retiring = False

    def install(self) -> None:
        """From now on what is printed or logged in this process becomes Log messages."""
        sys.stdout, sys.stderr = self._printed
        logging.getLogger().addHandler(Logged(self.lines))
        logging.getLogger().setLevel(logging.INFO)

    def end(self, attempt: str) -> None:
        """The attempt's result leaves now."""
        for printed in self._printed:
            printed.finish(attempt)
        self.lines.end(attempt)

    def say(self, message: str) -> None:
        """A line of the runner's own."""
        self.outbox.put(LogLine(attempt_id=None, level="warning", message=fit(message, 2000)))

    def listener_failed(self, error: BaseException) -> None:
        """An event listener of a module raised. Nobody waits for it, so a line is all that can be done."""
        self.lines.write("error", f"in an event listener: {type(error).__name__}: {redact(words(error))}")

    def retire(self, reason: str) -> None:
        """Ask to be replaced; once is enough."""
        if not self._retiring:
            self._retiring = True
            self.outbox.put(Retire(reason=fit(reason, 2000)))
