"""`workerctl tenant usage` on a real queue."""

import csv
import io

import pytest
from cli.commands import valid_json
from cli.conftest import OnQueue
from pw_queue import DONE, QueueHarness, ticket

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.queue.usage import JobSpending


async def fill(harness: QueueHarness) -> None:
    for number in range(2):
        await harness.producer.enqueue([ticket(str(number))])
        spent = JobSpending(0.25, Traffic(1, 20, 3))
        assert await harness.consumer.finish(await harness.one(), **DONE, spent=spent)


def test_the_hours_are_printed_for_people_and_programs(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    on_queue(fill)
    # Two days: the hour may change, and with it the day, between the jobs and the command.
    assert run(["tenant", "usage", "acme", "--days", "2", "--json"]) == 0
    rows = valid_json("tenant usage", capsys.readouterr().out)
    assert sum(row["page_seconds"] for row in rows) == 0.5
    assert sum(row["jobs"]["succeeded"] for row in rows) == 2
    assert run(["tenant", "usage", "acme", "--days", "2", "--csv"]) == 0
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(found) == len(rows)
    assert {row["tenant_id"] for row in found} == {"acme"}
    assert sum(int(row["bytes_in"]) for row in found) == 40
    assert sum(int(row["succeeded"]) for row in found) == 2
    assert all(row["hour"].endswith(":00:00Z") and row["dead"] == "0" for row in found)
    assert run(["tenant", "usage", "acme", "--days", "2"]) == 0
    assert capsys.readouterr().out.startswith("HOUR")


@pytest.mark.parametrize(
    ("words", "error"),
    [(["--days", "0"], "--days"), (["--days", "401"], "--days"), (["--csv", "--json"], "exclude each other")],
)
def test_wrong_words_are_refused(
    on_queue: OnQueue, words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tenant", "usage", "acme", *words]) == 2
    assert error in capsys.readouterr().err
