"""What the suite's tests use of pytest, inside a bundle. pytest itself needs files and the host's packages."""

import re
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn


class Skipped(Exception):
    """The test says that it does not apply."""


class ExpectedFailure(Exception):
    """The test says that it is known to fail."""


class ExceptionInfo:
    """What `raises` has caught."""

    value: Any = None
    type: Any = None

    def __class_getitem__(cls, item: Any) -> Any:
        return cls

    def __repr__(self) -> str:
        return f"<ExceptionInfo {self.value!r}>"

    def match(self, pattern: str) -> bool:
        """Whether the error's text has it. Raises AssertionError."""
        assert re.search(pattern, str(self.value)), f"{pattern!r} is not in {str(self.value)!r}"
        return True


class RaisesContext:
    """The block of `raises`."""

    def __init__(self, expected: Any, match: str | None) -> None:
        self._expected = expected
        self._match = match
        self._found = ExceptionInfo()

    def __enter__(self) -> ExceptionInfo:
        return self._found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        assert kind is not None, f"DID NOT RAISE {self._expected}"
        if not issubclass(kind, self._expected):
            return False
        self._found.value, self._found.type = error, kind
        if self._match is not None:
            self._found.match(self._match)
        return True


def raises(expected: Any, *, match: str | None = None) -> RaisesContext:
    """A block that must raise."""
    return RaisesContext(expected, match)


def skip(reason: str = "") -> NoReturn:
    """End the test."""
    raise Skipped(reason)


def xfail(reason: str = "") -> NoReturn:
    """End the test."""
    raise ExpectedFailure(reason)


def fail(reason: str = "") -> NoReturn:
    """End the test."""
    raise AssertionError(reason)


class ParameterSet:
    """What `param` gives: the values of one case."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.suite_values = values[0] if len(values) == 1 else values


def param(*values: Any, id: str | None = None, marks: Any = ()) -> ParameterSet:
    """One case of `parametrize`."""
    return ParameterSet(values)


def fixture(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Mark a function as a fixture, with or without options."""

    def mark(marked: Any) -> Any:
        marked.suite_fixture = {"autouse": False, **options}
        return marked

    return mark if function is None else mark(function)


class Marks:
    """`pytest.mark`. Only parameters matter: which tests apply is known from plain Playwright."""

    def parametrize(self, names: Any, values: Any, **options: Any) -> Callable[[Any], Any]:
        """Keep the cases with the function."""

        def mark(function: Any) -> Any:
            function.suite_parameters = [*getattr(function, "suite_parameters", []), (names, list(values))]
            return function

        return mark

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: given[0] if given and callable(given[0]) else lambda function: function


mark = Marks()
FixtureRequest = TempPathFactory = TestReport = Any
