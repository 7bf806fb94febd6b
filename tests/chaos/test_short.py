"""`make chaos` in short, so that it cannot rot between its long runs. A failure prints the plan with its seed."""

import random

import pytest

from chaos.cast import CHROMIUM
from chaos.run import Plan, run

pytestmark = [pytest.mark.redis, pytest.mark.timeout(300)]


def seed() -> int:
    return random.SystemRandom().randrange(1_000_000)


@pytest.mark.parametrize(("ground", "jobs"), [("standalone", 500), ("sentinel", 250), ("cluster", 250)])
async def test_nothing_is_lost_or_double_whatever_befalls_redis_and_workers(ground: str, jobs: int) -> None:
    outcome = await run(Plan(ground, seed(), jobs, 12, workers=3))
    assert outcome.clean, outcome.tell()


@pytest.mark.browser
@pytest.mark.sandbox
async def test_nothing_is_lost_or_double_with_real_runners() -> None:
    outcome = await run(Plan("standalone", seed(), 40, 6, workers=2, cast=CHROMIUM))
    assert outcome.clean, outcome.tell()
