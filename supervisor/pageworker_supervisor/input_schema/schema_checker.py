"""The schema checker: compiles schemas and checks payloads and results, in a process that has limits.

    python -I -m pageworker_supervisor.input_schema.schema_checker PARENT_PID SECONDS MEMORY_BYTES KEPT_BYTES

It reads SchemaCheck frames from stdin until the end, and writes one SchemaAnswer frame to stdout for each. The first
frame that it writes is empty: it is ready. The kernel enforces the limits: a check that uses too much processor time
ends the process by SIGPROF, one that uses too much memory by an allocation that fails.
"""

import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pageworker_supervisor.input_schema.check_limits import KEPT_SCHEMAS, TIMER, CheckLimits
from pageworker_supervisor.input_schema.compiled_schema import CompiledSchema, SchemaUnusable
from pageworker_supervisor.input_schema.messages import SchemaAnswer, SchemaCheck, SchemaKind, frame, take_frames

PR_SET_PDEATHSIG = 1
READ_BYTES = 1 << 20
READY = bytes(4)


class SchemaChecker:
    """Answers checks. Keeps the most recently used compiled schemas."""

    def __init__(self, limits: CheckLimits) -> None:
        self._limits = limits
        self._kept: OrderedDict[tuple[str, SchemaKind], CompiledSchema] = OrderedDict()

    def answer(self, check: SchemaCheck) -> SchemaAnswer:
        """Compile the schema if it comes along, and check the payload."""
        try:
            compiled = self._compiled(check)
            if compiled is None:
                return SchemaAnswer(unknown=check.schema is None, too_large=check.schema is not None)
            began = time.process_time()
            with self._timed():
                mistakes = compiled.mistakes(msgspec.json.decode(check.payload))
            return SchemaAnswer(mistakes, seconds=time.process_time() - began)
        except SchemaUnusable as error:
            return SchemaAnswer(unusable=str(error))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - the supervisor reports it, and the next check may succeed
            return SchemaAnswer(bug=traceback.format_exc())

    def _compiled(self, check: SchemaCheck) -> CompiledSchema | None:
        key = check.sha256, check.kind
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        if check.schema is None:
            return None
        before = _resident_bytes()
        with self._timed():
            try:
                schema = msgspec.json.decode(check.schema)
            except RecursionError as error:
                raise SchemaUnusable("it is nested too deeply") from error
            compiled = CompiledSchema(schema, check.kind)
        if _resident_bytes() - before > self._limits.kept_bytes:
            return None
        self._kept[key] = compiled
        if len(self._kept) > KEPT_SCHEMAS:
            self._kept.popitem(last=False)
        return compiled

    @contextmanager
    def _timed(self) -> Iterator[None]:
        signal.setitimer(TIMER, self._limits.seconds)
        try:
            yield
        finally:
            signal.setitimer(TIMER, 0)


def main(arguments: list[str]) -> None:
    """Answer checks until stdin ends. Exit status 1 if the parent has ended."""
    parent, seconds, memory_bytes, kept_bytes = arguments
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have ended before the prctl above. Then no signal comes.
    if os.getppid() != int(parent):
        sys.exit(1)
    limits = CheckLimits(float(seconds), int(memory_bytes), int(kept_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    checker = SchemaChecker(limits)
    buffer = bytearray()
    _write(READY)
    while data := os.read(0, READ_BYTES):
        buffer += data
        for body in take_frames(buffer):
            _write(frame(checker.answer(msgspec.msgpack.decode(body, type=SchemaCheck))))


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main(sys.argv[1:])
