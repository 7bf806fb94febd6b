"""The tests of the suite, and how each ended."""

import msgspec

ELSEWHERE = frozenset(
    {
        "browser",
        "browser_factory",
        "browser_type",
        "context_factory",
        "launch_arguments",
        "launch_persistent",
        "launch_persistent_context",
        "launch_server",
        "playwright",
        "show_trace_viewer",
    }
)
"""Fixtures by which a test opens browsers or contexts of its own. A test without them is page-level."""
GIVEN = frozenset({"context", "page"})


class SuiteTest(msgspec.Struct, frozen=True, kw_only=True):
    """One test, as plain Playwright ran it."""

    id: str
    file: str
    group: str
    """Its class, or nothing."""
    function: str
    indices: dict[str, int]
    """The place of each parameter's value."""
    arguments: tuple[str, ...]
    """Fixtures that its file names."""
    outcome: str
    """`passed`, `failed` or `skipped`."""
    reason: str

    @property
    def page_level(self) -> bool:
        """Whether it uses a page or a context that it is given, and opens none of its own."""
        return bool(GIVEN & set(self.arguments)) and not ELSEWHERE & set(self.arguments)

    @property
    def name(self) -> str:
        """The function, without parameters."""
        return self.function


class JobOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One test, as a job ran it."""

    id: str
    outcome: str
    """That of SuiteTest, or `lost`: the job ended without an answer of the test."""
    error: str = ""
    trace: str = ""
    runner: str = ""
