"""`workerctl submit`, `results` and `jobs` on a real queue."""

import json
from pathlib import Path

import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.cli.app import run


def test_submit_pushes_what_a_producer_would(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["submit", "shop.product", "--tenant", "acme", "--job-id", "17", "--payload", '{"a": 1}', "--profile", "p"]
    assert run([*words, "--priority", "high"]) == 0
    assert capsys.readouterr().out == "acme/17\n"
    assert json.loads(live_redis.command("LPOP", "pw:inbox")) == {
        "job_id": "17",
        "tenant_id": "acme",
        "endpoint_module": "shop.product",
        "payload": {"a": 1},
        "priority": "high",
        "profile_id": "p",
    }


def test_a_whole_job_comes_from_a_file(
    on_queue: OnQueue, live_redis: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '{"job_id": "18", "tenant_id": "acme", "endpoint_module": "m"}'
    (tmp_path / "job.json").write_text(text)
    assert run(["submit", "--file", str(tmp_path / "job.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"job_id": "18", "tenant_id": "acme"}
    assert live_redis.command("LPOP", "pw:inbox") == text.encode()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "Name a module"),
        (["m", "--payload", "{"], "--payload is not valid JSON"),
        (["m", "--payload", "[]"], "`payload`: expected an object"),
        (["M"], "`endpoint_module`"),
        (["--file", "/nope"], "No such file"),
    ],
)
def test_an_invalid_job_is_not_pushed(
    on_queue: OnQueue, live_redis: RedisServer, words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["submit", *words]) == 2
    assert error in capsys.readouterr().err
    assert live_redis.command("EXISTS", "pw:inbox") == 0


@pytest.mark.parametrize("option", ["--wait-seconds", "--timeout-seconds"])  # the second one is the old name
def test_no_result_in_time_ends_with_5(on_queue: OnQueue, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["submit", "m", "--tenant", "acme", "--wait", option, "0.01"]) == 5
    assert "workerctl jobs --tenant acme" in capsys.readouterr().err


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


def test_results_of_one_job_and_the_newest(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, tenant in enumerate(("acme", "b")):
        result = {
            "job_id": str(number),
            "tenant_id": tenant,
            "endpoint_module": "m",
            "status": "failed",
            "error": {"type": "timeout"},
            "timing": {"total": 1.5},
        }
        text = json.dumps(result)
        live_redis.command("SET", f"pw:result:{tenant}:{number}", text)
        live_redis.command("XADD", "pw:{0}:results", "*", "result", text)
    assert run(["results", "acme/0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "failed"
    assert run(["results"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["b/1", "m", "failed", "1.50", "s", "timeout"],
        ["acme/0", "m", "failed", "1.50", "s", "timeout"],
    ]
    assert run(["results", "--tenant", "acme", "--json"]) == 0
    assert [row["job_id"] for row in json.loads(capsys.readouterr().out)] == ["0"]
    assert run(["results", "acme/9"]) == 1
    assert "results.ttl_seconds" in capsys.readouterr().err
