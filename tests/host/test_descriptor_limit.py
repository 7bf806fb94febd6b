"""The limit is raised, what a pool needs is known, and jobs come before connections."""

import subprocess
import sys

import pytest

from pageworker_supervisor.config.settings import CallbackSettings, PoolSettings
from pageworker_supervisor.host.descriptor_limit import (
    HTTP_CONNECTIONS,
    MIN_HTTP_CONNECTIONS,
    http_connections,
    needed,
    suffices,
)

RAISE = """
import resource, sys
from pageworker_supervisor.host.descriptor_limit import raise_limit
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard", "then"), [(1024, 4096, 4096), (512, 512, 512), (64, 15_000, 15_000)])
def test_the_soft_limit_follows_the_hard_one(soft: int, hard: int, then: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAISE, str(soft), str(hard)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(then), str(then), str(hard)]


def of(runners: int, pages: int) -> tuple[PoolSettings, CallbackSettings]:
    return PoolSettings(runners=runners, pages=pages), CallbackSettings()


def test_a_larger_pool_needs_more_and_leaves_less_for_connections() -> None:
    small, large = of(1, 1), of(64, 64)
    assert needed(*small) < needed(*of(4, 4)) < 1024 < needed(*large)
    assert suffices(*small, 1024)
    assert not suffices(*large, 1024)
    assert http_connections(*small, 65_536) == HTTP_CONNECTIONS
    assert http_connections(*large, 1024) == MIN_HTTP_CONNECTIONS
    assert MIN_HTTP_CONNECTIONS < http_connections(*of(8, 8), 1024) < http_connections(*of(1, 1), 1024)
