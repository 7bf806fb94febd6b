"""`workerctl jobs list` on a real queue: filters, ended jobs, totals, pages."""

import json
from collections.abc import Sequence

import pytest
from cli.conftest import OnQueue
from pw_queue import JobEnd, QueueHarness, ticket

from pageworker_supervisor.cli.app import run

CAPTCHA = JobEnd(
    status="blocked",
    result=b'{"job_id":"e1","tenant_id":"acme","endpoint_module":"shop.product@1.0.0","status":"blocked",'
    b'"blocker":{"kind":"captcha"}}',
)
TIMEOUT = JobEnd(
    status="failed",
    result=b'{"job_id":"e2","tenant_id":"acme","endpoint_module":"shop.list","status":"failed","error":{"type":"timeout"}}',
)


@pytest.fixture
def filled(on_queue: OnQueue) -> None:
    """Of acme: two ended jobs, a running one, a delayed one and a queued one. Of b: a queued one."""

    async def fill(harness: QueueHarness) -> None:
        for job_id, end in (("e1", CAPTCHA), ("e2", TIMEOUT)):
            await harness.producer.enqueue([ticket(job_id)])
            assert await harness.consumer.finish(await harness.one(), **end)
        await harness.producer.enqueue([ticket("running", module=("shop.product", None))])
        await harness.one()
        await harness.producer.enqueue(
            [
                ticket("delayed", module=("shop.list", "1.2.3"), delay_ms=3_600_000),
                ticket("queued", module=("other", None)),
                ticket("b1", "b", module=("shop.product", None)),
            ]
        )

    on_queue(fill)


def listed(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> list[str]:
    """The ids that `workerctl jobs list` prints with these options, in their order."""
    assert run(["jobs", "list", *words, "--json"]) == 0
    return [row["job_id"] for row in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("", {"running", "delayed", "queued", "b1"}),
        ("--all", {"running", "delayed", "queued", "b1", "e1", "e2"}),
        ("--tenant b", {"b1"}),
        ("--module shop.*", {"running", "delayed", "b1"}),
        ("--module shop.product --all", {"running", "b1", "e1"}),
        ("--state running --state delayed", {"running", "delayed"}),
        ("--state ended", {"e1", "e2"}),
        ("--state ended --state queued --tenant acme", {"e1", "e2", "queued"}),
        ("--status failed", {"e2"}),
        ("--blocker captcha --blocker challenge", {"e1"}),
        ("--blocker challenge", set()),
        ("--text ue", {"queued"}),
        ("--all --since 1h", {"running", "delayed", "queued", "b1", "e1", "e2"}),
        ("--all --until 1h", set()),
        ("--since 2020-01-01T00:00:00Z --state queued", {"queued", "b1"}),
        ("--tenant none --all", set()),
    ],
)
def test_all_filters_must_hold(filled: None, words: str, ids: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys, words.split())
    assert len(found) == len(set(found))
    assert set(found) == ids


def test_ended_jobs_are_the_newest_first(filled: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, ["--state", "ended"]) == ["e2", "e1"]
    assert run(["jobs", "list", "--state", "ended", "--count", "1", "--json"]) == 0
    printed = capsys.readouterr()
    assert [row["job_id"] for row in json.loads(printed.out)] == ["e2"]
    assert "There are more ended jobs" in printed.err


def test_a_row_says_why(filled: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "--state", "ended"]) == 0
    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines()]
    assert lines[0][:3] == ["JOB", "MODULE", "STATE"]
    assert (*lines[1][:3], lines[1][-1]) == ("acme/e2", "shop.list", "failed", "timeout")
    assert (*lines[2][:3], lines[2][-1]) == ("acme/e1", "shop.product@1.0.0", "blocked", "captcha")
    assert printed.err == "2 jobs: 1 blocked, 1 failed\n"


def test_the_newest_result_of_a_job_counts_and_none_of_a_job_that_runs_again(
    on_queue: OnQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill(harness: QueueHarness) -> None:
        for status in ("failed", "cancelled"):
            text = b'{"job_id":"j","tenant_id":"acme","status":"%s"}' % status.encode()
            await harness.client.xadd("pw:{0}:results", {"result": text})
        await harness.client.xadd("pw:{0}:results", {"result": b"nonsense"})
        await harness.client.xadd(
            "pw:{0}:results", {"result": b'{"job_id":"again","tenant_id":"acme","status":"dead"}'}
        )
        await harness.producer.enqueue([ticket("again")])

    on_queue(fill)
    assert run(["jobs", "--all", "--json"]) == 0
    rows = {row["job_id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["j"]["status"] == "cancelled"
    assert rows["again"]["state"] == "queued"
    assert len(rows) == 2


def test_only_numbers_are_printed(filled: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "--count-only", "--all", "--count", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "total": 6,
        "by_state": {"queued": 2, "delayed": 1, "running": 1, "failed": 1, "blocked": 1},
        "complete": True,
    }


def test_names_are_input_for_other_commands(filled: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "--names", "--state", "queued"]) == 0
    assert sorted(capsys.readouterr().out.split()) == ["acme/queued", "b/b1"]


def test_a_time_that_is_none_is_wrong_usage(filled: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "--since", "yesterday"]) == 2
    assert "write 30s, 10m" in capsys.readouterr().err


def test_jobs_are_listed_in_pages(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    async def fill(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket(f"j{number}") for number in range(3)])

    on_queue(fill)
    assert run(["jobs", "--count", "2", "--json"]) == 0
    printed = capsys.readouterr()
    first = {job["job_id"] for job in json.loads(printed.out)}
    cursor = printed.err.rpartition("--cursor '")[2].rstrip("'\n")
    assert run(["jobs", "--cursor", cursor, "--json"]) == 0
    assert first | {job["job_id"] for job in json.loads(capsys.readouterr().out)} == {"j0", "j1", "j2"}
    assert run(["jobs"]) == 0
    assert capsys.readouterr().out.startswith("JOB ")
    assert run(["jobs", "--cursor", "nonsense"]) == 2
    assert "Copy the cursor" in capsys.readouterr().err
