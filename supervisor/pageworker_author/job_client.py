"""Starts the process that runs the jobs of tests, and asks it for runs."""

import subprocess
import sys
from contextlib import suppress

import msgspec

from pageworker_author.job_messages import RunAnswer, ServerOptions, TestedResult, TestedRun

END_SECONDS = 20.0
"""For the process, its browser and its sandboxes to end."""


class JobNotRun(Exception):
    """A job has no result: its module, its payload or this host is to blame."""


class JobClient:
    """One process. It starts with the first run."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, wanted: TestedRun) -> TestedResult:
        """The result of a run. Raises JobNotRun."""
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
        if not (line := _asked(self._process, msgspec.json.encode(wanted) + b"\n")):
            status = self._process.wait()
            raise JobNotRun(f"the process that runs jobs ended with status {status}. Its errors are above.")
        answer = msgspec.json.decode(line, type=RunAnswer)
        if answer.result is None:
            raise JobNotRun(f"{answer.refused}\n  {answer.mend}" if answer.mend else answer.refused)
        return answer.result

    def close(self) -> None:
        """End the process, and wait until everything that it started has ended."""
        if self._process is None:
            return
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        options = msgspec.json.encode(self._options).decode()
        command = [sys.executable, "-m", "pageworker_author.job_server", options]
        # A session of its own: Ctrl-C is for pytest, which then closes the pipe.
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def _asked(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    """The line that answers this one. Empty: the process has ended."""
    if process.stdin is None or process.stdout is None:
        return b""
    with suppress(BrokenPipeError):  # it has ended, and its last line says why
        process.stdin.write(line)
        process.stdin.flush()
    return process.stdout.readline()
