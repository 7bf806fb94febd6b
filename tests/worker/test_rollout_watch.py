"""`workerctl rollout watch` with real workers on a real Redis, each way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.commands import valid_json
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap

from pageworker_demo.toml import toml_text
from pageworker_supervisor.cli import app, rollout_watch
from pageworker_supervisor.cli.output import CommandExit

BATCH = 16
PROMOTED, WORSE, UNDECIDED = CommandExit.DONE, CommandExit.FAILED, CommandExit.DEADLINE


@pytest.fixture
def file(live_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of an operator's host, where no worker runs."""
    monkeypatch.setattr(rollout_watch, "LOOK_SECONDS", 0.1)
    path = tmp_path / "operator.toml"
    path.write_text(toml_text({"redis": {"url": live_redis.url}, "worker": {"data_dir": str(tmp_path)}}))
    return path


@asynccontextmanager
async def fleet(live_redis: RedisServer, key: tuple[Path, str]) -> AsyncIterator[Echoes]:
    """A stable worker, and `c` with the tag `next`."""
    async with (
        echoes(live_redis.url, live_redis, key, worker_id="s") as stable,
        echoes(live_redis.url, live_redis, key, worker_id="c", more={"worker": {"tags": ["next"]}}),
    ):
        yield stable


async def watched(file: Path, words: str, worker: Echoes, do: str = "") -> int:
    """The exit code, under a load that ends with the command."""
    line = ["rollout", "watch", "--canary", "next", *words.split(), "--json", "--config", str(file)]
    async with asyncio.TaskGroup() as tasks:
        ending = tasks.create_task(asyncio.to_thread(app.run, line))
        pushed = len(worker.results)
        while do and not ending.done():
            await worker.push(*(nap(f"{pushed + number}", 2, do, on="c") for number in range(BATCH)))
            pushed += BATCH
            await worker.answered(pushed, 30)
    return ending.result()


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    """The JSON of the command."""
    return valid_json("rollout watch", capsys.readouterr().out)


async def test_a_build_that_fails_is_worse_and_one_that_does_not_is_promoted(
    live_redis: RedisServer, registry_key: tuple[Path, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with fleet(live_redis, registry_key) as worker:
        code = await watched(file, "--after 30s --deadline 60s", worker, "fail_on")
        answer = printed(capsys)
        assert (code, answer["decision"]) == (WORSE, "roll_back"), answer
        assert (answer["canary"], answer["stable"]) == (["c"], ["s"])
        assert answer["counts"]["new.failed"] == answer["counts"]["new.jobs"]
        assert "old.failed" not in answer["counts"]
        # The failures of before do not count.
        code = await watched(file, "--jobs 20 --after 1s --deadline 60s", worker, "echo")
        answer = printed(capsys)
        assert (code, answer["decision"]) == (PROMOTED, "promote"), answer
        assert min(answer["counts"]["new.jobs"], answer["counts"]["old.jobs"]) >= 20
        assert "new.failed" not in answer["counts"]
        # Now nothing runs.
        code = await watched(file, "--jobs 1 --after 1s --deadline 1s", worker)
        assert (code, printed(capsys)["counts"]) == (UNDECIDED, {})
