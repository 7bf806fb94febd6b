"""What the runner tells the supervisor beside results: lines of its modules, and that it wants to be replaced."""

import logging
import sys

from pageworker_runner.outbox import Outbox
from pageworker_runner.output import Lines, Logged, Printed
from pageworker_runner.text import fit
from pageworker_runner.trace import redact, words
from pageworker_sandbox.wire.messages import Log, Retire


class Reporter:
    """Owns the module-facing ends of stdout, stderr and logging."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.lines = Lines(outbox.put)
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
        self.outbox.put(Log(attempt_id=None, level="warning", message=fit(message, 2000)))

    def listener_failed(self, error: BaseException) -> None:
        """An event listener of a module raised. Nobody waits for it, so a line is all that can be done."""
        self.lines.write("error", f"in an event listener: {type(error).__name__}: {redact(words(error))}")

    def retire(self, reason: str) -> None:
        """Ask to be replaced; once is enough."""
        if not self._retiring:
            self._retiring = True
            self.outbox.put(Retire(reason=fit(reason, 2000)))
