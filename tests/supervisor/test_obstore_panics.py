"""A panic of obstore is an OSError; other errors pass."""

import pytest

from pageworker_supervisor.obstore_panics import build_runtime, panics_as_os_errors


class PanicException(BaseException):
    """Like the one that PyO3 raises: it is no Exception."""


PanicException.__module__ = "pyo3_runtime"


def test_a_panic_becomes_an_os_error_with_its_text() -> None:
    with pytest.raises(OSError, match="no descriptor left"), panics_as_os_errors():
        raise PanicException("no descriptor left")


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError(28, "full")])
def test_other_errors_pass_unchanged(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, panics_as_os_errors():
        raise error
    assert caught.value is error


def test_the_runtime_can_be_built_more_than_once() -> None:
    build_runtime()
    build_runtime()
