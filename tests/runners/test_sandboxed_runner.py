"""A runner that is told to stop: how long its browser has to write its profile to disk."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ChannelClosed, ProtocolViolation
from pageworker_supervisor.config.settings import PoolSettings, SandboxSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners import sandboxed_runner
from pageworker_supervisor.runners.empty_context import EMPTY
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.runner_events import RunnerEvents
from pageworker_supervisor.runners.sandboxed_runner import SandboxedRunner
from pageworker_supervisor.telemetry import log

GRACE_SECONDS = 0.02
CLOSE_SECONDS = 0.2


class SlowProcess:
    """A sandboxed process whose browser closes only when the test lets it."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.killed = asyncio.Event()

    async def wait(self) -> None:
        """Return when the process has ended."""
        await self.closed.wait()

    def kill(self) -> None:
        """End it now."""
        self.killed.set()


class StopRecorder:
    """A connection that counts Stop messages."""

    def __init__(self) -> None:
        self.stops = 0

    async def send(self, message: m.Message) -> None:
        """Count it."""
        self.stops += isinstance(message, m.Stop)


def runner_of(context: ContextKey) -> tuple[SandboxedRunner, SlowProcess, Any]:
    """A runner that is up, its process, and a function that waits until it has stopped."""
    resources = any_typed(
        SimpleNamespace(sandbox=SandboxSettings(), pool=PoolSettings(kill_grace_seconds=GRACE_SECONDS))
    )
    runner = SandboxedRunner("r1", context, 1, resources, RunnerEvents(lambda: None, lambda _: None, lambda _: None))
    process = any_typed(SlowProcess())
    connection = any_typed(StopRecorder())
    runner.process, runner._connection = process, connection
    return runner, process, lambda: runner._stop_gently(connection, process)


@pytest.fixture(autouse=True)
def _short_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m, "BROWSER_CLOSE_SECONDS", CLOSE_SECONDS)


async def killed_while_it_closes(context: ContextKey) -> bool:
    """Tell a runner to stop, let its browser take longer than the kill grace, and see whether it is killed before."""
    runner, process, stop = runner_of(context)
    async with asyncio.TaskGroup() as tasks:
        stopping = tasks.create_task(stop())
        runner.dismiss("the gateway is lost")
        early, _ = await asyncio.wait([tasks.create_task(process.killed.wait())], timeout=GRACE_SECONDS * 5)
        process.closed.set()
        await stopping
    return bool(early)


async def test_a_profile_has_time_to_be_written_before_its_runner_is_killed() -> None:
    assert not await killed_while_it_closes(ContextKey("acme", "shop"))


async def test_a_runner_without_profile_is_killed_after_the_kill_grace() -> None:
    assert await killed_while_it_closes(ContextKey("acme"))


async def test_a_runner_of_a_profile_that_never_closes_is_killed_too() -> None:
    runner, process, stop = runner_of(ContextKey("acme", "shop"))
    runner.dismiss("the gateway is lost")
    await asyncio.wait_for(stop(), 5)
    assert process.killed.is_set()


@pytest.mark.parametrize(
    ("evidence", "refused"),
    [
        ({"landlock": "fs net scope"}, ""),
        ({"landlock": "fs scope"}, "landlock.net"),
        ({"landlock": "fs net scope", "cookies": "1"}, "is not empty"),
    ],
)
async def test_a_runner_without_a_required_right_or_with_cookies_does_not_come_up(
    monkeypatch: pytest.MonkeyPatch, evidence: dict[str, str], refused: str
) -> None:
    class ReadyHandshake:
        """A start whose runner reports this."""

        def __init__(self, *_: object) -> None:
            pass

        async def run(self) -> m.Ready:
            """Ready at once."""
            return m.Ready(browser_version="1", pages=1, evidence={**EMPTY, **evidence})

    class ProvenProcess(SlowProcess):
        async def proof(self) -> dict[str, str]:
            """Nothing is asked of it here."""
            return {}

    monkeypatch.setattr(sandboxed_runner, "Handshake", ReadyHandshake)
    runner, _, _ = runner_of(ContextKey("acme"))
    came_up = []
    monkeypatch.setattr(runner, "_came_up", lambda: came_up.append(True))
    runner._resources = any_typed(
        SimpleNamespace(
            host=SimpleNamespace(required={"landlock.net"}),
            pool=PoolSettings(),
            metrics=SimpleNamespace(runners=SimpleNamespace(spawned=lambda _: None)),
        )
    )
    folder = any_typed(SimpleNamespace(checkpoint=None, lease=None))
    starting = runner._start(any_typed(ProvenProcess()), any_typed(StopRecorder()), folder)
    if refused:
        with pytest.raises(SpawnFailed, match=refused):
            await starting
    else:
        await starting
    assert came_up == ([] if refused else [True])


async def test_a_page_is_not_free_before_its_attempt_has_ended_here() -> None:
    """The attempt failed past a limit, so its runner is killed; the `Free` behind its `Done` was read already."""
    runner, _, _ = runner_of(ContextKey("acme"))
    page = runner._pages.reserve(runner, exclusive=False)
    runner._pages.begin("t1", page, 0, log)
    runner._receive(m.Free(attempt_id="t1"), [])
    assert runner.taken == 1


async def test_a_message_that_meets_a_bug_ends_its_runner_only() -> None:
    runner, _, _ = runner_of(ContextKey("acme"))
    with pytest.raises(ProtocolViolation, match="Free could not be handled"):
        runner._receive(m.Free(attempt_id="never-ran"), [])


async def test_a_pong_counts_only_for_a_ping_that_was_sent() -> None:
    """With a number far ahead, a runner whose event loop does not run would never count as silent."""
    runner, _, _ = runner_of(ContextKey("acme"))
    runner.expect_pong(1)
    runner._receive(m.Pong(number=1), [])
    runner.expect_pong(2)
    for forged in (3, 2**62, 0, -1):
        runner._receive(m.Pong(number=forged), [])
        assert runner.pong == 1
    runner._receive(m.Pong(number=2), [])
    assert runner.pong == 2


async def test_a_runner_that_is_slow_to_exit_does_not_end_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its channel is closed, which ends the task group in which it was served. Then its exit takes too long."""
    monkeypatch.setattr(sandboxed_runner, "EXIT_SECONDS", GRACE_SECONDS)
    runner, process, _ = runner_of(ContextKey("acme"))

    async def channel_closed() -> None:
        await asyncio.sleep(0)
        raise ChannelClosed("end of file")

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(channel_closed())
    except* ChannelClosed:
        await runner._let_it_exit(any_typed(process))
    assert not process.closed.is_set()
