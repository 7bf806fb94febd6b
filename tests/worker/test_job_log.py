"""Every log line of a job says which job, what runs it, and where."""

from pathlib import Path
from typing import Any

from pw_receiver import receiver
from pw_servers import RedisServer
from pw_worker import echoes, nap

from pageworker_supervisor.telemetry import log

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ALWAYS = {"job", "job_id", "tenant_id", "trace_id", "module"}
"""worker_id is a field of all lines of a worker: see `log_to`."""


async def test_lines_of_a_job_have_its_fields(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    lines: list[dict[str, Any]] = []
    sink = log.add(lambda message: lines.append({"message": message.record["message"], **message.record["extra"]}))
    (tmp_path / "key").write_text("a secret that receivers know")
    tenant = {"callback_allow": ["http://127.0.0.1:*/*"], "callback_secret_file": str(tmp_path / "key")}
    more: dict[str, dict[str, Any]] = {"tenants": {"*": tenant}, "jobs": {"retry_base_seconds": 0.01}}
    try:
        async with receiver() as flow, echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
            fields = {"trace_id": TRACE, "callback_url": flow.url("/status/404")}
            await worker.push(nap("j1", 1, "fail", times=1, fields=fields))
            await worker.answered(1)
            await worker.until(lambda: any(line["message"] == "callback given up" for line in lines))
            await worker.client.lpush("pw:inbox", b'{"job_id": "j2", "tenant_id": "acme", "endpoint_module": "No!"}')
            await worker.answered(2)
    finally:
        log.remove(sink)
    of_job = {line["message"]: line for line in lines if line.get("job") == "acme/j1"}
    assert {"job starts", "job will be retried", "job ended", "callback given up"} <= set(of_job)
    for message, line in of_job.items():
        assert set(line) >= ALWAYS | {"module_version", "runner_id"}, message
        assert (line["job_id"], line["tenant_id"], line["trace_id"], line["module"]) == (
            "j1",
            "acme",
            TRACE,
            "test.nap",
        )
    assert {line["module_version"] for line in of_job.values()} == {of_job["job ended"]["module_version"]} != {None}
    (rejected,) = [line for line in lines if line.get("job") == "acme/j2"]
    assert (rejected["message"], rejected["job_id"], rejected["tenant_id"]) == ("rejected", "j2", "acme")
