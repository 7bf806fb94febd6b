"""Tells a runner why the gateway did not carry out its requests: one line per failure, into a pipe."""

import os
from contextlib import suppress

from pageworker_sandbox.wire.request_failure import MAX_LINE_BYTES, RequestFailure


class FailureReports:
    """The write end of one runner's failure pipe. It is written before the request is answered, so the runner has the
    line when its browser reports the failure."""

    def __init__(self, descriptor: int) -> None:
        """Takes over the descriptor, which must not block."""
        self._descriptor = descriptor

    def report(self, failure: RequestFailure) -> None:
        """Write one line. It is dropped if the runner does not read, or has gone."""
        line = f"{failure.line}\n".encode("latin-1", "replace")
        if self._descriptor >= 0 and len(line) <= MAX_LINE_BYTES:
            with suppress(OSError):
                os.write(self._descriptor, line)

    def close(self) -> None:
        """Close the pipe. Further reports are dropped."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
