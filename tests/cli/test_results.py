"""`workerctl results` on a real queue."""

import json

import pytest
from cli.conftest import OnQueue
from pw_servers import RedisServer

from pageworker_supervisor.cli.app import run


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
