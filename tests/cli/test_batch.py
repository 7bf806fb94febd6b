"""`workerctl batch` on a real queue."""

import json
from typing import Any

import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.output import CommandExit

JOBS = ("j1", "j2")


def told(capsys: pytest.CaptureFixture[str], *words: str, exit_code: int = 0) -> Any:
    """What a command prints as JSON."""
    capsys.readouterr()
    assert run([*words, "--json"]) == exit_code
    return json.loads(capsys.readouterr().out)


async def push(harness: QueueHarness) -> None:
    body = '{{"job_id":"{}","tenant_id":"acme","endpoint_module":"m","batch_id":"b"}}'
    jobs = [ticket(job, batch_id="b", body=body.format(job).encode()) for job in JOBS]
    assert await harness.producer.enqueue([*jobs, ticket("other")]) == ["queued"] * 3


async def fail(harness: QueueHarness) -> None:
    """Every job fails."""
    for lease in await harness.take():
        result = json.dumps({"job_id": lease.job_id, "tenant_id": "acme", "status": "failed"}).encode()
        assert await harness.consumer.finish(lease, "failed", result, dead_letter=b"{}")


def test_a_batch_is_opened_shown_closed_and_retried(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    opened = told(capsys, "batch", "open", "acme/b", "--deadline", "2h")
    assert (opened["state"], opened["deadline_at_ms"] - opened["created_at_ms"]) == ("open", 7_200_000)
    assert told(capsys, "batch", "open", "acme/b", "--deadline", "2h")["created_at_ms"] == opened["created_at_ms"]
    assert run(["batch", "open", "acme/b", "--size", "3"]) == CommandExit.REFUSED
    assert told(capsys, "batch", "open", "globex/f", "--complete-on", "first_failure")["complete_on"] == "first_failure"
    on_queue(push)
    assert told(capsys, "batch", "show", "acme/b")["counts"]["waiting"] == 2
    assert [row["job_id"] for row in told(capsys, "jobs", "list", "--batch", "acme/b")] == ["j1", "j2"]
    closed = told(capsys, "batch", "close", "acme/b")
    assert (closed["action"], closed["batch"]["state"]) == ("close", "closed")
    on_queue(fail)
    (row,) = told(capsys, "batch", "list", "--tenant", "acme")
    assert (row["state"], row["reason"], row["counts"]["failed"]) == ("complete", "all_ended", 2)
    ended = told(capsys, "jobs", "list", "--batch", "acme/b", "--status", "failed")
    assert {row["job_id"] for row in ended} == set(JOBS)
    assert told(capsys, "jobs", "retry", "--batch", "acme/b")["number"] == 2
    retried = told(capsys, "batch", "retry", "acme/b", "--reason", "the shop was down")
    assert (retried["jobs"], retried["left"], retried["batch"]["round"]) == (2, 0, 2)
    cancelled = told(capsys, "batch", "cancel", "acme/b")
    assert (cancelled["jobs"], cancelled["batch"]["state"]) == (2, "closed")
    actions = {line["record"].get("action") for line in told(capsys, "audit", "list")}
    assert {"batch.open", "batch.retry", "batch.cancel", "batch.close"} <= actions


def test_a_batch_may_complete_with_its_first_failure(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    opened = told(capsys, "batch", "open", "acme/b", "--complete-on", "first_failure", "--size", "9")
    assert (opened["complete_on"], opened["size"]) == ("first_failure", 9)
    on_queue(push)
    on_queue(fail)
    assert told(capsys, "batch", "show", "acme/b")["reason"] == "first_failure"


def test_what_is_wrong_is_said(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    for words, code, said in (
        (["batch", "show", "acme/b"], CommandExit.FAILED, "there is no batch acme/b"),
        (["batch", "cancel", "acme/b"], CommandExit.FAILED, "there is no batch acme/b"),
        (["batch", "show", "b"], CommandExit.USAGE, "TENANT/BATCH"),
        (["batch", "open", "acme/b", "--size", "0"], CommandExit.USAGE, "size"),
        (["batch", "open", "acme/b", "--callback-url", "https://x.test/"], CommandExit.REFUSED, "allow-list"),
        (["jobs", "list", "--batch", "acme/b"], CommandExit.FAILED, "there is no batch"),
    ):
        capsys.readouterr()
        assert run(words) == code, words
        assert said in capsys.readouterr().err, words
