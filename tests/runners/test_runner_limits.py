"""Which attempt exceeded a limit. Measuring is tested on real runners: tests/tenants/test_memory.py, test_files.py."""

import asyncio
from typing import Any

import pytest

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.runner_limits import is_alone
from pageworker_supervisor.runners.sent_attempt import SentAttempt

PAGE: Any = object()
"""No attempt of these tests uses its page."""
MEMORY = Breach("memory_limit", 110, 100, "bytes")
FILES = Breach("disk_limit", 110, 100, "files")


def attempts(count: int, memory_before_bytes: int = 0) -> list[SentAttempt]:
    """So many that run."""

    async def begin() -> list[SentAttempt]:
        return [
            SentAttempt(f"a-{number}", JobRef("acme", f"j-{number}"), PAGE, memory_before_bytes=memory_before_bytes)
            for number in range(count)
        ]

    return asyncio.run(begin())


@pytest.mark.parametrize(
    ("count", "recycling", "before", "breach", "alone"),
    [
        (1, [], 0, MEMORY, True),
        (1, [], 50, MEMORY, True),
        (1, [], 51, MEMORY, False),
        (1, [], 51, FILES, True),
        (2, [], 0, MEMORY, False),
        (0, [], 0, MEMORY, False),
        (1, ["a-9"], 0, FILES, False),
    ],
)
def test_one_attempt_is_blamed_only_where_it_must_have_been_it(
    count: int, recycling: list[str], before: int, breach: Breach, alone: bool
) -> None:
    """It was alone on the runner; no page of an earlier attempt is being recycled; less than half of the memory was
    used."""
    assert is_alone(breach, attempts(count, before), recycling) is alone
