"""Faults of real browsers, each followed by a clean job. All of them: `make browser-faults`."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from browser_faults.faults import Fault, kill_while_written, popups, service_worker, stale_lock
from browser_faults.scene import FaultScene, fault_scene

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(200),
]

POPUPS = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene() -> AsyncIterator[FaultScene]:
    async with fault_scene(POPUPS) as opened:
        yield opened


async def test_a_probe_finds_the_login_of_the_profile(scene: FaultScene) -> None:
    """The module has `login_probe = true`. It has run after the first job of the profile."""
    async with asyncio.timeout(30):
        while not (found := await scene.login()):  # noqa: ASYNC110 - what is awaited is in Redis
            await asyncio.sleep(0.05)
        assert found == "authenticated"
        while [runner.login for runner in scene.worker.status().runners] != ["authenticated"]:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("fault", [service_worker, popups, stale_lock, kill_while_written], ids=lambda it: it.__name__)
async def test_a_clean_job_follows(scene: FaultScene, fault: Fault) -> None:
    await fault(scene)
