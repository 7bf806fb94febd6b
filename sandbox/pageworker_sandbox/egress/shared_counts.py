"""What a runner has used, in memory that gateway and supervisor share.

The supervisor reads the counts at any instant, without a message, and also after the gateway has died. The memory is a
memfd of fixed size: its seals keep the gateway from truncating it, which would be a SIGBUS in the supervisor
(fcntl(2), F_SEAL_SHRINK). The values may be wrong if the gateway was taken over, and nothing else can be.

A value is written as one aligned word of 64 bits, so a reader never sees half of it.
"""

import fcntl
import mmap
import os
from enum import IntEnum
from typing import Final, Literal

from pageworker_sandbox import memfd

WORD: Final = "Q"
WORD_BYTES = 8
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


class Count(IntEnum):
    """The words, in their order."""

    REQUESTS = 0
    UP_BYTES = 1
    DOWN_BYTES = 2
    OVER_BUDGET = 3
    """An `OverBudget`: why the runner gets nothing more."""


class OverBudget(IntEnum):
    """Which budget the runner wanted to exceed first."""

    NONE = 0
    BYTES = 1
    REQUESTS = 2


BudgetName = Literal["bytes", "requests"]
_NAMES: dict[int, BudgetName] = {OverBudget.BYTES: "bytes", OverBudget.REQUESTS: "requests"}


SIZE_BYTES = WORD_BYTES * len(Count)


def new_descriptor() -> int:
    """A memfd with all counts 0. The caller closes it. Raises OSError."""
    descriptor = memfd.create("counts")
    try:
        os.ftruncate(descriptor, SIZE_BYTES)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def shared_words(descriptor: int) -> memoryview:
    """The counts of a memfd from `new_descriptor`, to read and write. The descriptor may be closed afterwards."""
    return memoryview(mmap.mmap(descriptor, SIZE_BYTES)).cast(WORD)


def own_words() -> memoryview:
    """Counts, all 0, in memory of this process alone."""
    return memoryview(bytearray(SIZE_BYTES)).cast(WORD)


class SharedCounts:
    """The reader's end. Call it: requests, bytes to origins, bytes from origins."""

    def __init__(self, descriptor: int) -> None:
        self._words = shared_words(descriptor).toreadonly()

    def __call__(self) -> tuple[int, int, int]:
        words = self._words
        return words[Count.REQUESTS], words[Count.UP_BYTES], words[Count.DOWN_BYTES]

    def over_budget(self) -> BudgetName | None:
        """Which budget of the present turn the runner wanted to exceed. None: none so far."""
        return _NAMES.get(self._words[Count.OVER_BUDGET])
