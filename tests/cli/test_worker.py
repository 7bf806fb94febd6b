"""Commands over a real control socket. `workerctl drain` ends with 0 only if every job has ended."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pageworker_demo.toml import toml_text
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.server import Endpoints
from pageworker_supervisor.admin.status import (
    CancelAnswer,
    Cancelled,
    DrainLine,
    RedisReport,
    RunnerReport,
    StatusReport,
)
from pageworker_supervisor.cli import app as root
from pageworker_supervisor.cli.output import CommandExit
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.proxies.health import DownUpstream
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.recent_lines import RecentLines

WAITING = DrainLine(event="waiting", job_id="j1", tenant_id="acme")


class Scripted:
    """A worker whose drain reports these lines. Without a last line, the drain is given up."""

    def __init__(self, *lines: DrainLine) -> None:
        self.lines = lines
        self.undrained = 0
        self.answer: CancelAnswer = "unknown"

    def status(self) -> StatusReport:
        return StatusReport(
            state="ready",
            reason="",
            worker_id="w1",
            version="0",
            uptime_seconds=1.0,
            redis=RedisReport(connected=True, url=""),
        )

    def ready(self) -> tuple[bool, str]:
        return True, ""

    async def refresh_readiness(self) -> None:
        return

    async def drain(self, deadline_seconds: float | None, *, cancel: bool = False) -> AsyncIterator[DrainLine]:
        for line in self.lines:
            yield line
        if self.lines[-1].event not in ("done", "deadline"):
            raise WorkerRefused("it takes jobs again")

    async def undrain(self) -> None:
        self.undrained += 1

    async def cancel(self, ref: JobRef) -> Cancelled:
        return Cancelled(ref.job_id, ref.tenant_id, self.answer, known=self.answer != "unknown")


async def drained(folder: Path, *lines: DrainLine) -> int:
    """The exit code of `workerctl drain`."""
    return await called(folder, Scripted(*lines), "drain")


async def called(folder: Path, worker: Scripted, *words: str, recent: RecentLines | None = None) -> int:
    """The exit code of a command to this worker."""
    config = folder / "pageworker.toml"
    config.write_text(toml_text({"worker": {"data_dir": str(folder)}}))
    endpoints = Endpoints.open("127.0.0.1:0", folder, worker, Metrics(), recent_lines=recent)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(endpoints.run())
        try:
            return await asyncio.to_thread(root.run, [*words, "--config", str(config)])
        finally:
            serving.cancel()


async def test_all_jobs_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = DrainLine(event="ended", job_id="j1", tenant_id="acme")
    assert await drained(tmp_path, WAITING, ended, DrainLine(event="done", left=0)) == CommandExit.DONE
    assert capsys.readouterr().out.splitlines() == ["waiting acme/j1", "ended acme/j1", "done"]


async def test_work_is_left_at_the_deadline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requeued = DrainLine(event="requeued", job_id="j1", tenant_id="acme")
    assert await drained(tmp_path, WAITING, requeued, DrainLine(event="deadline", left=1)) == CommandExit.DEADLINE
    printed = capsys.readouterr()
    assert "done" not in printed.out
    assert "1 jobs did not end before the deadline" in printed.err


async def test_a_drain_without_a_last_line_has_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await drained(tmp_path, WAITING) == CommandExit.FAILED
    printed = capsys.readouterr()
    assert "done" not in printed.out
    assert "given up" in printed.err


@pytest.mark.parametrize("name", ["undrain", "resume"])
async def test_undrain_has_its_old_name_too(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    worker = Scripted()
    assert await called(tmp_path, worker, name) == CommandExit.DONE
    assert worker.undrained == 1
    assert capsys.readouterr().out == "w1 is ready\n"


async def test_status_ends_with_0_while_the_worker_takes_jobs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await called(tmp_path, Scripted(), "status") == CommandExit.DONE
    assert capsys.readouterr().out.startswith("w1 is ready\n")


@pytest.mark.parametrize("exact", ["draining", "drained"])
async def test_status_says_whether_the_drain_is_done(
    tmp_path: Path, exact: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = Scripted()
    report = replace(worker.status(), state="draining", reason=exact)
    monkeypatch.setattr(worker, "status", lambda: report)
    assert await called(tmp_path, worker, "status") == CommandExit.FAILED
    assert capsys.readouterr().out.startswith(f"w1 is {exact}\n")


async def test_status_shows_the_memory_of_each_runner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Scripted()
    runners = tuple(
        RunnerReport(runner_id=name, tenant_id="acme", profile_id=None, state="ready", memory_bytes=memory)
        for name, memory in (("r1", 300 * 1024**2), ("r2", None))
    )
    report = replace(worker.status(), runners=runners)
    monkeypatch.setattr(worker, "status", lambda: report)
    assert await called(tmp_path, worker, "status") == CommandExit.DONE
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    head = next(row for row in rows if row[:1] == ["RUNNER"])
    first, second = (next(row for row in rows if row[:1] == [name]) for name in ("r1", "r2"))
    assert head[-1] == "MEMORY"
    assert "300" in " ".join(first[-2:])
    assert second[-1] == "?"


async def test_status_lists_upstream_proxies_that_are_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Scripted()
    down = DownUpstream(policy="de", upstream="p1.test:3128", country=None, reason="timed_out")
    report = replace(worker.status(), upstreams_down=(down,))
    monkeypatch.setattr(worker, "status", lambda: report)
    assert await called(tmp_path, worker, "status") == CommandExit.DONE
    out = capsys.readouterr().out
    assert "UPSTREAM DOWN" in out
    assert ["de", "p1.test:3128", "-", "timed_out"] in [line.split() for line in out.splitlines()]
