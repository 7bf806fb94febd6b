"""Tells a runner why the gateway did not carry out its requests, and where it connected to: lines, into a pipe."""

import os
from contextlib import suppress

from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.origin_address import OriginAddress
from pageworker_sandbox.wire.request_failure import MAX_LINE_BYTES, RequestFailure


class FailureReports:
    """The write end of one runner's failure pipe. It is written before the request is answered, so the runner has the
    line when its browser reports the failure."""

    def __init__(self, descriptor: int) -> None:
        """Takes over the descriptor, which must not block."""
        self._descriptor = descriptor

    def report(self, failure: RequestFailure) -> None:
        """Write one line. It is dropped if the runner does not read, or has gone."""
        self._write(failure.line)

    def connected(self, target: Target, address: Address) -> None:
        """Write one line for a new connection to what the name of `target` resolved to."""
        self._write(OriginAddress(target.authority, str(address)).line)

    def close(self) -> None:
        """Close the pipe. Further reports are dropped."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, text: str) -> None:
        line = f"{text}\n".encode("latin-1", "replace")
        if self._descriptor >= 0 and len(line) <= MAX_LINE_BYTES:
            with suppress(OSError):
                os.write(self._descriptor, line)
