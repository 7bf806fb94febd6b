"""`workerctl cancel` on a real queue, without a worker."""

import json

import pytest
from cli.conftest import OnQueue
from pw_queue import DONE, QueueHarness, ticket

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.output import CommandExit


@pytest.mark.parametrize(
    ("job", "outcome", "known", "code"),
    [
        ("waits", "cancelled", True, CommandExit.DONE),
        ("runs", "cancelling", True, CommandExit.DONE),
        ("unseen", "cancelling", False, CommandExit.DONE),
        ("ended", "finished", True, CommandExit.FAILED),
    ],
)
def test_the_exit_code_tells_whether_a_cancellation_holds(
    on_queue: OnQueue, job: str, outcome: str, known: bool, code: CommandExit, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("ended")])
        assert await harness.consumer.finish(await harness.one(), **DONE)
        await harness.producer.enqueue([ticket("runs")])
        await harness.one()
        await harness.producer.enqueue([ticket("waits")])

    on_queue(fill)
    assert run(["cancel", f"acme/{job}", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == {
        "job_id": job,
        "tenant_id": "acme",
        "outcome": outcome,
        "known": known,
    }


def test_a_text_that_names_no_job_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cancel", "17"]) == CommandExit.USAGE
    assert "write TENANT/ID" in capsys.readouterr().err
