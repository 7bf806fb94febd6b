"""`workerctl status|drain|undrain` of the fleet, with real workers on a real Redis."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pw_queue.words import ref
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap

from pageworker_demo.toml import toml_text
from pageworker_supervisor.cli import app
from pageworker_supervisor.cli.output import CommandExit

Run = Callable[..., Any]


@pytest.fixture
def file(live_redis: RedisServer, tmp_path: Path) -> Path:
    """A configuration of an operator's host, where no worker runs."""
    path = tmp_path / "operator.toml"
    path.write_text(toml_text({"redis": {"url": live_redis.url}, "worker": {"data_dir": str(tmp_path)}}))
    return path


async def workerctl(file: Path, *words: str) -> int:
    """The exit code. Commands have an event loop of their own."""
    return await asyncio.to_thread(app.run, [*words, "--config", str(file)])


@asynccontextmanager
async def two(live_redis: RedisServer, key: tuple[Path, str]) -> AsyncIterator[tuple[Echoes, Echoes]]:
    """Two workers that have reported: `a` has the tag `eu`."""
    async with (
        echoes(live_redis.url, live_redis, key, worker_id="a", more={"worker": {"tags": ["eu"]}}) as first,
        echoes(live_redis.url, live_redis, key, worker_id="b") as second,
    ):
        async with asyncio.timeout(30):
            while await first.client.hlen("pw:{0}:worker_reports") < 2:
                await first.turn()
        yield first, second


async def test_the_whole_fleet_is_shown_and_drained_and_undrained(
    live_redis: RedisServer, registry_key: tuple[Path, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with two(live_redis, registry_key) as (first, second):
        assert await workerctl(file, "drain", "--tag", "eu", "--reason", "new kernel") == CommandExit.DONE
        assert capsys.readouterr().out == "done\n"
        assert first.worker.status().reason == "drained"
        assert await workerctl(file, "status", "--fleet") == CommandExit.DONE
        text = capsys.readouterr().out
        assert "2 workers: 1 ready" in text
        assert "new kernel" in text
        assert await workerctl(file, "status", "--fleet", "--json") == CommandExit.DONE
        shown = json.loads(capsys.readouterr().out)
        assert [(one["worker_id"], one["state"]) for one in shown["workers"]] == [("a", "draining"), ("b", "ready")]
        assert await workerctl(file, "drain", "--worker", "b") == CommandExit.DONE
        assert second.worker.status().reason == "drained"
        assert await workerctl(file, "status", "--fleet") == CommandExit.FAILED, "no worker takes jobs"
        assert await workerctl(file, "drain", "--worker", "a") == CommandExit.DONE
        assert await workerctl(file, "undrain", "--tag", "eu") == CommandExit.DONE
        assert "a is drained: the drain of worker:a holds" in capsys.readouterr().out
        for name in ("a", "b"):
            assert await workerctl(file, "undrain", "--worker", name) == CommandExit.DONE
        assert capsys.readouterr().out == "a is ready\nb is ready\n"
        assert first.worker.ready()[0]


async def test_jobs_are_waited_for_and_requeued_at_the_deadline(
    live_redis: RedisServer, registry_key: tuple[Path, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a") as worker:
        await worker.push(nap("j1", 60_000))
        await worker.until(lambda: bool(worker.worker.status().jobs))
        assert await workerctl(file, "drain", "--fleet", "--deadline-seconds", "2") == CommandExit.DEADLINE
        out, err = capsys.readouterr()
        assert out.splitlines() == ["waiting acme/j1 on a", "requeued acme/j1 on a", "deadline"]
        assert "1 jobs did not end before the deadline" in err
        assert await workerctl(file, "undrain", "--fleet") == CommandExit.DONE
        await worker.until(lambda: bool(worker.worker.status().jobs))
        words = ("drain", "--fleet", "--deadline-seconds", "1", "--cancel")
        assert await workerctl(file, *words) == CommandExit.DONE, "no job is left"
        await worker.answered(1)
        assert worker.results["j1"]["status"] == "cancelled"


async def test_what_is_not_there_is_named(
    live_redis: RedisServer, registry_key: tuple[Path, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await workerctl(file, "drain", "--worker", "nowhere") == CommandExit.FAILED
    assert "no worker of --worker nowhere reports" in capsys.readouterr().err
    assert await workerctl(file, "undrain", "--tag", "eu") == CommandExit.FAILED
    assert "no drain of --tag eu is stored" in capsys.readouterr().err
    assert await workerctl(file, "drain", "--worker", "a", "--fleet") == CommandExit.USAGE
    assert "--worker and --fleet are given together" in capsys.readouterr().err
    assert await workerctl(file, "drain", "--reason", "x") == CommandExit.USAGE
    assert await workerctl(file, "drain", "--fleet", "--deadline-seconds", "nan") == CommandExit.USAGE
    capsys.readouterr()
    assert await workerctl(file, "status", "--fleet") == CommandExit.FAILED
    assert "0 workers: 0 ready" in capsys.readouterr().out
    assert await workerctl(file, "drain") == CommandExit.UNREACHABLE, "no worker on this host"


async def test_ctrl_c_leaves_the_drain_as_it_is(
    live_redis: RedisServer, registry_key: tuple[Path, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a") as worker:
        await worker.push(nap("j1", 60_000))
        await worker.until(lambda: bool(worker.worker.status().jobs))
        command = (str(Path(sys.executable).with_name("workerctl")), "drain", "--fleet", "--deadline-seconds", "60")
        process = await asyncio.create_subprocess_exec(
            # A suite that a shell runs in the background ignores SIGINT, and so does what it starts.
            *("env", "--default-signal=INT", *command, "--config", str(file)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"waiting acme/j1 on a\n"
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        assert process.returncode == 130
        assert b"Watch it again: workerctl drain --fleet" in err
        assert b"workerctl undrain --fleet" in err
        assert worker.worker.status().state == "draining"
        async with asyncio.TaskGroup() as tasks:
            again = tasks.create_task(workerctl(file, "drain", "--fleet"))
            await worker.queue.inspection.cancel(ref("j1"))
        assert again.result() == CommandExit.DONE
        out, err_text = capsys.readouterr()
        assert out.endswith("done\n")
        assert "This drain was stored before by" in err_text


async def test_a_lifted_drain_ends_the_command_that_watches(
    live_redis: RedisServer, registry_key: tuple[Path, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a") as worker:
        await worker.push(nap("j1", 60_000))
        await worker.until(lambda: bool(worker.worker.status().jobs))
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(workerctl(file, "drain", "--fleet"))
            await worker.until(lambda: worker.worker.status().state == "draining")
            assert (await worker.queue.workers.lift_drain("*")).lifted
        assert watching.result() == CommandExit.FAILED
        assert "the drain was given up" in capsys.readouterr().err
        await worker.until(lambda: worker.worker.ready()[0])


@pytest.mark.parametrize("words", [("status", "--fleet"), ("drain", "--fleet"), ("undrain", "--fleet")], ids=str)
async def test_without_redis_a_command_ends_at_once(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "away.toml"
    path.write_text(toml_text({"redis": {"url": "redis://127.0.0.1:1"}, "worker": {"data_dir": str(tmp_path)}}))
    async with asyncio.timeout(10):
        assert await workerctl(path, *words) == CommandExit.UNREACHABLE
    assert "Redis at redis://127.0.0.1:1" in capsys.readouterr().err
