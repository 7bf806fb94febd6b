"""Runs one input and decides whether it is a finding: a wrong exception, a hang, memory."""

import gc
import hashlib
import resource
import signal
import sys
import traceback
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Literal, Self

from fuzz.target import FuzzTarget

HANG_SECONDS = 1.0
"""Of CPU time in Python, so that a busy machine makes no finding. Instrumented code takes two to four times as long."""
MEMORY_BYTES = 64 * 1024**2
"""One input may not raise the peak of the process by more."""
BLOCKS_PER_INPUT = 0.05
"""Objects that an input may leave behind, on average. Caches fill in the first part of a run."""
LEAST_BLOCKS = 5000

FindingKind = Literal["raised", "hang", "memory", "growth"]


class InputHangs(BaseException):
    """The input has used its CPU time. Not an Exception, so that the code that is fuzzed does not catch it."""


@dataclass(frozen=True)
class FuzzFinding:
    """An input that shows a mistake. `where` names the place in the code: two findings of one place are one."""

    kind: FindingKind
    data: bytes
    where: str
    text: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.kind}-{hashlib.sha256(self.data).hexdigest()[:16]}"


class InputJudge:
    """A context manager, for one target at a time in the main thread: it uses SIGVTALRM."""

    def __init__(self, target: FuzzTarget, hang_seconds: float = HANG_SECONDS) -> None:
        self._target = target
        self._seconds = hang_seconds
        self._hangs = False
        self._peak = _peak_bytes()

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGVTALRM, self._on_alarm)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, self._before)

    def check(self, data: bytes) -> FuzzFinding | None:
        """Run one input. None: nothing is wrong with what it did."""
        self._hangs = False
        raised: BaseException | None = None
        # The alarm repeats: the code that is fuzzed may have caught the first one.
        signal.setitimer(signal.ITIMER_VIRTUAL, self._seconds, self._seconds)
        try:
            self._target.run(data)
        except self._target.raises:
            pass
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - any other exception is a finding
            raised = error
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if self._hangs:
            text = _text(raised) if raised is not None else "the alarm was caught"
            return FuzzFinding("hang", data, _where(raised), f"more than {self._seconds} s of CPU time\n{text}")
        if raised is not None:
            return FuzzFinding("raised", data, _where(raised), _text(raised))
        before, self._peak = self._peak, _peak_bytes()
        if self._peak - before > MEMORY_BYTES:
            return FuzzFinding("memory", data, "memory", f"one input took {self._peak - before} bytes of memory")
        return None

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        self._hangs = True
        raise InputHangs


class GrowthCheck:
    """Whether a run leaves objects behind. Compares the objects of the process at two thirds and at the end of it."""

    def __init__(self, inputs: int) -> None:
        """`inputs`: those of the whole run, if it is not ended earlier."""
        self._from = max(1, inputs * 2 // 3)
        self._blocks: int | None = None
        self._seen = 0

    def count(self) -> None:
        """One more input has run."""
        self._seen += 1
        if self._seen == self._from:
            self._blocks = _blocks()

    def finding(self) -> FuzzFinding | None:
        """At the end of the run. None: what was left behind is within BLOCKS_PER_INPUT."""
        if self._blocks is None:
            return None
        more, inputs = _blocks() - self._blocks, self._seen - self._from
        if more <= max(LEAST_BLOCKS, inputs * BLOCKS_PER_INPUT):
            return None
        return FuzzFinding("growth", b"", "growth", f"{inputs} inputs left {more} objects behind")


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _where(error: BaseException | None) -> str:
    if error is None:
        return "unknown"
    inner = _innermost(error)
    frames = traceback.extract_tb(inner.__traceback__)
    last = next(
        (frame for frame in reversed(frames) if "/pageworker" in frame.filename), frames[-1] if frames else None
    )
    place = f"{last.filename.rpartition('/')[2]}:{last.lineno}" if last else "?"
    return f"{type(inner).__name__} at {place}"


def _text(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-6000:]
