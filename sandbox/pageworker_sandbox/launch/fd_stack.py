"""Descriptors that this process holds for a while, to pass them to a child."""

import os
from collections.abc import Callable
from contextlib import ExitStack


class FdStack:
    """Opens descriptors and closes them when `stack` unwinds."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._open: dict[int, Callable[[], None]] = {}

    def pipe(self) -> tuple[int, int]:
        """A new pipe: its read end and its write end. Raises OSError."""
        read, write = os.pipe()
        return self._add(read), self._add(write)

    def memfd(self, data: bytes) -> int:
        """A new memfd with these bytes, positioned at its start. Raises OSError."""
        descriptor = self._add(os.memfd_create("pageworker"))
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def close(self, descriptor: int) -> None:
        """Close it now rather than when the stack unwinds. May be called again."""
        if descriptor in self._open:
            del self._open[descriptor]
            os.close(descriptor)

    def _add(self, descriptor: int) -> int:
        self._open[descriptor] = lambda: self.close(descriptor)
        self._stack.callback(self._open[descriptor])
        return descriptor
