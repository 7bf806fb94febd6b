"""`workerctl jobs cancel|retry` on a real queue: exactly the listed set, after a dry run."""

import io
import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import OnQueue
from pw_queue import DONE, JobEnd, QueueHarness, ticket

from pageworker_supervisor.cli import jobs_bulk
from pageworker_supervisor.cli.answers import BulkJob
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.jobs_bulk import digest_of
from pageworker_supervisor.cli.output import CommandExit, put
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.inspection import QueueInspection
from pageworker_supervisor.queue.views import CancelReply
from pageworker_supervisor.redis_client.errors import ConnectionLost

WORKERCTL = Path(sys.executable).with_name("workerctl")
FAILED = JobEnd(status="failed", result=b'{"status":"failed"}', dead_letter=b'{"error":"boom"}')


@pytest.fixture
def waiting(on_queue: OnQueue) -> None:
    """Three queued jobs of acme, one of b."""

    async def fill(harness: QueueHarness) -> None:
        await harness.producer.enqueue([*(ticket(f"j{number}") for number in range(3)), ticket("other", "b")])

    on_queue(fill)


@pytest.fixture
def dead(on_queue: OnQueue) -> None:
    """Two failed jobs of acme, one of them twice, and one of b."""

    async def fill(harness: QueueHarness) -> None:
        for job_id, tenant in (("j0", "acme"), ("j1", "acme"), ("other", "b")):
            await harness.producer.enqueue([ticket(job_id, tenant)])
            assert await harness.consumer.finish(await harness.one(), **FAILED)

    on_queue(fill)


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert run(["jobs", "--json"]) == 0
    return {f"{row['tenant_id']}/{row['job_id']}": row["state"] for row in json.loads(capsys.readouterr().out)}


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_without_yes_nothing_is_changed(waiting: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "cancel", "--tenant", "acme"]) == CommandExit.DONE
    printed = capsys.readouterr()
    assert {line.split()[0] for line in printed.out.splitlines()[1:4]} == {"acme/j0", "acme/j1", "acme/j2"}
    assert "3 jobs, digest " in printed.out
    assert "Nothing was changed" in printed.err
    assert set(states(capsys).values()) == {"queued"}


def test_with_yes_the_listed_jobs_are_cancelled(waiting: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "cancel", "--tenant", "acme", "--json"]) == CommandExit.DONE
    plan = answer(capsys)
    assert (plan["done"], plan["number"]) == (False, 3)
    assert run(["jobs", "cancel", "--tenant", "acme", "--yes", "--digest", plan["digest"], "--json"]) == 0
    told = answer(capsys)
    assert (told["done"], told["digest"]) == (True, plan["digest"])
    assert {job["outcome"] for job in told["jobs"]} == {"cancelled"}
    assert states(capsys) == {**{f"acme/j{number}": "ending" for number in range(3)}, "b/other": "queued"}


def test_another_set_than_the_dry_run_showed_is_refused(
    waiting: None, on_queue: OnQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["jobs", "cancel", "--tenant", "acme", "--json"]) == CommandExit.DONE
    digest = answer(capsys)["digest"]

    async def more(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("j3")])

    on_queue(more)
    assert run(["jobs", "cancel", "--tenant", "acme", "--yes", "--digest", digest]) == CommandExit.REFUSED
    assert "the set has changed" in capsys.readouterr().err
    assert set(states(capsys).values()) == {"queued"}


def test_what_ended_meanwhile_is_reported_and_what_came_is_left(
    waiting: None, on_queue: OnQueue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between the reading of the set and the first cancellation, one job ends and one comes."""

    async def changes(harness: QueueHarness) -> None:
        (lease,) = [lease for lease in await harness.take() if str(lease.ref) == "acme/j1"]
        assert await harness.consumer.finish(lease, **DONE)
        await harness.producer.enqueue([ticket("late")])

    def meanwhile(text: str) -> None:
        put(text)
        thread = threading.Thread(target=on_queue, args=(changes,))  # the command's event loop runs in this one
        thread.start()
        thread.join()

    monkeypatch.setattr(jobs_bulk, "put", meanwhile)
    assert run(["jobs", "cancel", "--tenant", "acme", "--yes"]) == CommandExit.FAILED
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["acme/j1", "finished"] in rows
    assert ["acme/j0", "cancelling"] in rows
    assert states(capsys)["acme/late"] == "queued"


def test_if_redis_is_lost_amid_the_rest_is_not_tried(
    waiting: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cancelled = QueueInspection.cancel
    names: list[str] = []

    async def once(inspection: QueueInspection, ref: JobRef) -> CancelReply:
        if names:
            raise ConnectionLost("gone")
        names.append(str(ref))
        return await cancelled(inspection, ref)

    monkeypatch.setattr(QueueInspection, "cancel", once)
    assert run(["jobs", "cancel", "--tenant", "acme", "--yes", "--json"]) == CommandExit.UNREACHABLE
    printed = capsys.readouterr()
    outcomes = {f"acme/{job['job_id']}": job["outcome"] for job in json.loads(printed.out)["jobs"]}
    assert outcomes == {**dict.fromkeys(("acme/j0", "acme/j1", "acme/j2")), names[0]: "cancelled"}
    assert "2 of 3 jobs were not tried: gone" in printed.err


def test_named_jobs_need_no_yes(waiting: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names").write_text("acme/j1\nacme/j0\n")
    assert run(["jobs", "cancel", "acme/j0", "--names-from", str(tmp_path / "names"), "--json"]) == 0
    assert [job["job_id"] for job in answer(capsys)["jobs"]] == ["j0", "j1"]
    assert states(capsys) == {"acme/j0": "ending", "acme/j1": "ending", "acme/j2": "queued", "b/other": "queued"}


@pytest.mark.parametrize(("typed", "state"), [(b"y\n", "ending"), (b"\n", "queued")])
def test_on_a_terminal_it_asks(waiting: None, typed: bytes, state: str, capsys: pytest.CaptureFixture[str]) -> None:
    master, slave = pty.openpty()
    try:
        os.write(master, typed)
        done = subprocess.run(
            [str(WORKERCTL), "jobs", "cancel", "--tenant", "b"],
            stdin=slave,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    finally:
        os.close(master)
        os.close(slave)
    assert "Cancel these 1 jobs? [y/N]" in done.stderr
    assert states(capsys)["b/other"] == state


def test_a_large_set_is_refused(
    waiting: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jobs_bulk, "MOST_JOBS", 2)
    assert run(["jobs", "cancel", "--tenant", "acme", "--yes"]) == CommandExit.REFUSED
    assert "more than 2 jobs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("cancel", "name jobs, or give filters"),
        ("cancel acme/1 --tenant acme", "exclude each other"),
        ("cancel --status failed", "an ended job cannot be cancelled"),
        ("cancel acme", "write TENANT/ID"),
        ("cancel --names-from /nope", "No such file"),
        ("retry", "name jobs, or give filters"),
        ("retry --blocker captcha", "must be pushed again"),
        ("retry --state queued", "only a job with a dead letter"),
    ],
)
def test_wrong_usage(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", *words.split()]) == CommandExit.USAGE
    assert told in capsys.readouterr().err


def test_jobs_are_retried_by_filter(dead: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "retry", "--tenant", "acme", "--status", "failed", "--json"]) == CommandExit.DONE
    plan = answer(capsys)
    assert sorted((job["job_id"], job["found"]) for job in plan["jobs"]) == [("j0", "failed"), ("j1", "failed")]
    assert run(["jobs", "retry", "--tenant", "acme", "--yes", "--digest", plan["digest"], "--json"]) == 0
    assert {job["outcome"] for job in answer(capsys)["jobs"]} == {"queued"}
    assert states(capsys) == {"acme/j0": "queued", "acme/j1": "queued"}
    assert run(["jobs", "retry", "--module", "nothing.*", "--yes", "--json"]) == 0
    assert answer(capsys)["number"] == 0


def test_a_named_job_without_a_dead_letter_is_reported(dead: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "retry", "acme/none", "b/other", "--json"]) == CommandExit.FAILED
    assert [(job["job_id"], job["outcome"]) for job in answer(capsys)["jobs"]] == [
        ("none", "gone"),
        ("other", "queued"),
    ]


def test_the_digest_is_that_of_the_set() -> None:
    jobs = [BulkJob(job_id=str(number), tenant_id="acme", found="queued") for number in range(3)]
    assert digest_of(jobs) == digest_of(reversed(jobs))
    assert len({digest_of(jobs), digest_of(jobs[:2]), digest_of([])}) == 3
    assert len(digest_of(jobs)) == 16


def test_names_come_from_stdin(
    waiting: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("b/other"))
    assert run(["jobs", "cancel", "--names-from", "-", "--json"]) == CommandExit.DONE
    assert [job["outcome"] for job in answer(capsys)["jobs"]] == ["cancelled"]
