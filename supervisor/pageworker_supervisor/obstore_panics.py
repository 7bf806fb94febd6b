"""Keeps a host that has run out of descriptors or threads from ending the daemon through obstore.

obstore builds a Tokio runtime at its first call. Where the process has no descriptor left for it, that panics: PyO3
raises `pyo3_runtime.PanicException`, which is no Exception, so nothing that waits for errors of a store catches it. The
runtime's lock is poisoned by it, so every later call panics too. So the daemon builds the runtime when it starts.
Source: https://docs.rs/pyo3/latest/pyo3/panic/struct.PanicException.html
"""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.store import MemoryStore


@contextmanager
def panics_as_os_errors() -> Iterator[None]:
    """Raises OSError in place of a panic; everything else as it is."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise OSError(f"the object store's client cannot run: {error}") from error


def build_runtime() -> None:
    """Have the runtime before anything can use up what it needs. Raises OSError where that is used up already."""
    with panics_as_os_errors():
        MemoryStore().put("runtime", b"")
