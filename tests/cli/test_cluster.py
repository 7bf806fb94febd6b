"""Commands on jobs over several shards of a real Redis Cluster."""

import asyncio
import json

import pytest
from pw_queue import JobEnd, QueueHarness, everything, ticket
from pw_servers import Cluster

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.cluster import ClusterClient
from pageworker_supervisor.redis_client.router import shard_of

SHARDS = 4
TENANTS = [f"t{number}" for number in range(8)]


@pytest.fixture
def filled(live_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """One failed job of each tenant, and one that waits."""
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", live_cluster.url)
    monkeypatch.setenv("PAGEWORKER_REDIS__SHARDS", str(SHARDS))
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))

    async def fill() -> None:
        client = ClusterClient("127.0.0.1", live_cluster.nodes[0].port)
        queue = QueueClient(Router(client, client), shards=SHARDS)
        await queue.load()
        harness = QueueHarness(queue, client)
        await harness.producer.enqueue([ticket("ended", tenant) for tenant in TENANTS])
        for lease in await harness.take(capacity=everything()):
            text = f'{{"job_id":"ended","tenant_id":"{lease.tenant_id}","status":"failed"}}'.encode()
            end = JobEnd(status="failed", result=text, dead_letter=b"{}")
            assert await harness.consumer.finish(lease, **end)
        await harness.producer.enqueue([ticket("waits", tenant) for tenant in TENANTS])
        await client.aclose()

    asyncio.run(fill())


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> set[tuple[str, str]]:
    assert run(["jobs", *words, "--json"]) == 0
    return {(row["tenant_id"], row["job_id"]) for row in json.loads(capsys.readouterr().out)}


def test_jobs_of_all_shards_are_listed_followed_and_changed(filled: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert {shard_of(tenant, SHARDS) for tenant in TENANTS} == set(range(SHARDS))
    ended, waiting = ({(tenant, job) for tenant in TENANTS} for job in ("ended", "waits"))
    assert rows(capsys) == waiting
    assert rows(capsys, "--all") == ended | waiting
    assert rows(capsys, "--status", "failed", "--tenant", "t3") == {("t3", "ended")}

    after = ",".join(f"{shard}:0-0" for shard in range(SHARDS))
    assert run(["results", "--follow", "--after", after, "--count", "8", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["result"]["tenant_id"] for line in lines} == set(TENANTS)

    assert run(["jobs", "cancel", "--state", "queued", "--yes", "--json"]) == 0
    assert {job["outcome"] for job in json.loads(capsys.readouterr().out)["jobs"]} == {"cancelled"}
    assert run(["jobs", "retry", "--status", "failed", "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["number"], {job["outcome"] for job in told["jobs"]}) == (8, {"queued"})
    assert run(["jobs", "follow", "t1/ended", "--timeout-seconds", "0.3"]) == 5
    assert "queued" in capsys.readouterr().out
