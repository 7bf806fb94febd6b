"""Protects the daemon from obstore's panics on a host that has no descriptors or threads left.

obstore builds a Tokio runtime at its first call. If the process has no descriptor left, that panics: PyO3 raises
`pyo3_runtime.PanicException`, which is not an Exception, so `except Exception` does not catch it. The panic also
poisons the runtime's lock, so every later call panics too. Therefore the daemon builds the runtime when it starts.
Source: https://docs.rs/pyo3/latest/pyo3/panic/struct.PanicException.html
"""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.store import MemoryStore


@contextmanager
def panics_as_os_errors() -> Iterator[None]:
    """Raise OSError instead of a panic. Other errors pass unchanged."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise OSError(f"the object store's client cannot run: {error}") from error


def build_runtime() -> None:
    """Build the runtime before other parts can use up what it needs. Raises OSError if that is used up already."""
    with panics_as_os_errors():
        MemoryStore().put("runtime", b"")
