"""Whose a breach is. The looks themselves are tried on real runners: tests/tenants/test_memory.py, test_files.py."""

import asyncio

import pytest

from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.runner_limits import is_alone
from pageworker_supervisor.runners.running_attempt import SentAttempt

MEMORY = Breach("memory_limit", 110, 100, "bytes")
FILES = Breach("disk_limit", 110, 100, "files")


def attempts(count: int, memory_before_bytes: int = 0) -> list[SentAttempt]:
    """So many that run."""

    async def begin() -> list[SentAttempt]:
        return [
            SentAttempt(f"a-{number}", JobRef("acme", f"j-{number}"), memory_before_bytes=memory_before_bytes)
            for number in range(count)
        ]

    return asyncio.run(begin())


@pytest.mark.parametrize(
    ("count", "owed", "before", "breach", "alone"),
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
    count: int, owed: list[str], before: int, breach: Breach, alone: bool
) -> None:
    """It had the runner to itself; no page of an earlier one is still being cleaned; the memory was not half full."""
    assert is_alone(breach, attempts(count, before), owed) is alone
