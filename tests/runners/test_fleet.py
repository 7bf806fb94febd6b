"""The end of a fleet: browsers write their profiles to disk before the worker stops."""

import asyncio
import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_sandbox.launch import HostUnfit, survey
from pageworker_sandbox.launch.user_namespace import UserNamespace
from pageworker_supervisor.config.settings import PoolSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners import probe_runner, profile_closing
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.placement import PoolRules

CLOSE_SECONDS = 0.2


class OpenRunner:
    """A runner that ends only when the test removes it."""

    def __init__(self, context: ContextKey) -> None:
        self.context = context
        self.fence = 1
        self.retired = asyncio.Event()

    def retire(self, reason: str) -> None:
        """Take no more jobs."""
        self.retired.set()


def fleet_of(context: ContextKey) -> tuple[Any, OpenRunner]:
    """A fleet with one open runner."""
    resources = any_typed(
        SimpleNamespace(
            worker_id="w1", metrics=None, pool=PoolSettings(), pool_rules=PoolRules(4, 4, 2.0), decisions=None
        )
    )

    async def on_gone(context: ContextKey, fence: int | None) -> None:
        """Nothing is to be released."""

    fleet = any_typed(Fleet("w1", resources, (None, None), on_gone))
    runner = OpenRunner(context)
    fleet.runners["w1.1"] = runner
    return fleet, runner


@pytest.fixture(autouse=True)
def _short_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_closing, "BROWSER_CLOSE_SECONDS", CLOSE_SECONDS)


async def test_a_fleet_waits_for_the_browser_of_a_profile() -> None:
    fleet, runner = fleet_of(ContextKey("acme", "shop"))
    async with asyncio.TaskGroup() as tasks:
        closing = tasks.create_task(profile_closing.close_profiles(fleet, "the worker stops"))
        await runner.retired.wait()
        assert not closing.done()
        del fleet.runners["w1.1"]
        fleet._gone.set()
        async with asyncio.timeout(CLOSE_SECONDS / 2):
            await closing


async def test_a_fleet_does_not_wait_for_a_browser_without_profile() -> None:
    fleet, runner = fleet_of(ContextKey("acme"))
    async with asyncio.timeout(CLOSE_SECONDS / 2):
        await profile_closing.close_profiles(fleet, "the worker stops")
    assert runner.retired.is_set()


async def test_a_fleet_gives_up_a_profile_that_does_not_close() -> None:
    fleet, _ = fleet_of(ContextKey("acme", "shop"))
    async with asyncio.timeout(5):
        await profile_closing.close_profiles(fleet, "the worker stops")
    assert fleet.runners


async def test_what_follows_the_end_of_a_runner_can_time_out() -> None:
    """A task group that failed leaves a request to cancel in the runner's task; Redis may not answer after that."""
    fleet, runner = fleet_of(ContextKey("acme", "shop"))
    told: list[str] = []

    async def channel_closed() -> None:
        await asyncio.sleep(0)
        raise ConnectionError

    async def live() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(channel_closed())
        except* ConnectionError:
            pass

    async def on_gone(context: ContextKey, fence: int | None) -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            told.append("timeout")

    fleet._on_gone = on_gone
    closed = any_typed(SimpleNamespace(runner_id="w1.1", context=runner.context, fence=1, live=live))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fleet._host(closed))
    assert told == ["timeout"]


async def test_a_host_that_is_examined_again_keeps_its_user_namespace_and_required_rights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet, _ = fleet_of(ContextKey("acme"))
    asked: dict[str, Any] = {}

    def unfit(*arguments: Any) -> None:
        asked.update(inspect.signature(survey).bind(*arguments).arguments)
        raise HostUnfit(())

    monkeypatch.setattr(probe_runner, "survey", unfit)
    host = SimpleNamespace(required=frozenset({"own_uid"}), user_namespace=UserNamespace(-1, 2_100_000_000))
    fleet._resources = SimpleNamespace(host=host, browsers=SimpleNamespace(preferred="auto"))
    history = SimpleNamespace(host=SimpleNamespace(closed=True))
    fleet._probes._judge = SimpleNamespace(blame_host=lambda failure: None, history=history)
    await fleet._start_probe()
    assert asked["user_namespace"] == host.user_namespace
    assert asked["required"] == host.required
