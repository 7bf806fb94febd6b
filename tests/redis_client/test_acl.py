"""The shipped users can do their work, and nothing else."""

import re
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import redis
from pw_intake import job, of_tenants, open_counter
from pw_queue.words import DONE, JobEnd, everything, finish_all, ref
from pw_servers import RedisServer, redis_server
from pw_worker.reports import worker_report

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.config_store import ConfigStore, ConfigVersion
from pageworker_supervisor.queue.fleet_workers import FleetWorkers
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits
from pageworker_supervisor.redis_client import open_redis_client
from pageworker_supervisor.redis_client.errors import Denied
from pageworker_supervisor.self_checks.redis_findings import redis_findings, start_findings
from pageworker_supervisor.self_checks.redis_reading import read_all

SHIPPED = files("pageworker_supervisor.redis_client").joinpath("pageworker.acl").read_text()
ATTEMPT = b'{"attempt":1}'


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RedisServer]:
    """A server with the shipped users, switched on as the docs say."""
    acl_file = tmp_path / "shipped.acl"
    acl_file.write_text(SHIPPED.replace("off resetpass", "on >secret"))
    with redis_server(acl_file=acl_file) as server:
        yield server


def url_of(server: RedisServer, user: str) -> str:
    return f"redis://{user}:secret@127.0.0.1:{server.port}/0"


def test_no_user_gets_in_with_the_file_as_it_is_shipped(tmp_path: Path) -> None:
    acl_file = tmp_path / "shipped.acl"
    acl_file.write_text(SHIPPED)
    with redis_server(acl_file=acl_file) as server:
        for user in ("pageworker", "n8n"):
            with closing(server.client(user, "")) as client, pytest.raises(redis.exceptions.AuthenticationError):
                client.ping()


def test_every_command_of_the_functions_is_allowed() -> None:
    (rules,) = (line for line in SHIPPED.splitlines() if line.startswith("user pageworker "))
    granted = {word[1:].partition("|")[0].upper() for word in rules.split() if word.startswith("+")}
    sources = files("pageworker_supervisor.queue").joinpath("lua").iterdir()
    used = {
        name
        for source in sources
        for name in re.findall(r"\bp?call\(\s*'([A-Z]+)'", source.read_text(encoding="utf-8"))
    }
    assert len(used) > 30
    assert used <= granted


async def test_a_worker_works_under_its_rights(guarded: RedisServer) -> None:
    async with open_counter(url_of(guarded, "pageworker")) as counter:
        queue = counter.queue
        await queue.consumer.register_worker("w1")
        async with counter.intake("w1", admission=of_tenants("acme")):
            await counter.push_to("acme", job(10))
            await counter.push(*(job(i, profile_id=f"p{i}" if i % 2 else None) for i in range(8)), b"garbage")
            await counter.add(job(9, misspelt=1))
            await counter.reached(9)
            while len(await counter.letters()) < 2:
                await counter.turn()
        leases = list((await queue.consumer.claim("w1", everything())).leases)
        await queue.consumer.heartbeat("w1", leases, held(leases))
        assert await queue.consumer.retry(leases[0], 60_000, ATTEMPT, [b"{}"])
        assert await queue.consumer.crash(leases[1], 0, ATTEMPT, [b"{}"])
        assert await queue.consumer.defer(leases[2], 60_000, "test")
        assert await queue.consumer.requeue(leases[3])
        dead = JobEnd(status="failed", result=b"{}", callback="https://a.example/", dead_letter=b"{}", events=(b"{}",))
        assert await queue.consumer.finish(leases[4], **DONE)
        assert await finish_all(queue.consumer, leases[5:7], dead)
        for tenant, profile, fence in held(leases):
            await queue.consumer.release_profile("w1", tenant, profile, fence)
        await queue.consumer.reap()
        await queue.consumer.wait("w1", 0.01)
        first, second = await queue.outbox.take(10, 10)
        await queue.outbox.later(first, 60_000)
        await queue.outbox.failed(second, b"{}")
        await queue.limits.set(LimitsTable(tenants={"acme": QuotaLimits(concurrency=5)}))
        await queue.limits.ids()
        await vote(queue.config)
        await use_drains(queue.workers)
        await queue.inspection.cancel(leases[0].ref)
        await queue.inspection.jobs()
        letters = (await queue.dead_letters.page()).letters
        await queue.dead_letters.show(letters[0].id)
        await queue.dead_letters.retry([letter.id for letter in letters])
        await queue.dead_letters.purge([letter.id for letter in letters])
        assert await queue.inspection.result(ref("acme-9"))
        await queue.consumer.forget_worker("w1")
        assert await queue.inspection.check_consistency() == []
        reading = await read_all(counter.redis_client, ["pw:{0}"], embedded=True)
        assert [one for one in start_findings(reading) if not one.ok] == []
        failed = [one.name for one in redis_findings(reading, replicated=False) if not one.ok]
        assert failed == ["redis_persistence"]  # that of this server, not a right
    assert denials(guarded) == []


async def use_drains(workers: FleetWorkers) -> None:
    report = worker_report("w2")
    await workers.report(report)
    await workers.store_drain("*", "d1", 1.0, else_seconds=1.0, who="w", reason="r", cancel=False)
    await workers.everyone()
    await workers.lift_drain("*")
    await workers.withdraw(report.name)


async def vote(store: ConfigStore) -> None:
    """Take part in every step of the central configuration."""
    empty = (await store.state()).digest
    await store.look("w1", 0, empty)
    assert await store.propose("p1", 0, {"pool.runners": "3"}, "me", "because") == "open"
    await store.vote("w1", (await store.look("w1", 0, empty)).id, [])
    await store.wait_outcome("p1", 1)
    assert await store.outcome("p1") is not None
    assert len(await store.history(5)) == 1
    await store.propose("p2", 1, {}, "me", "because")
    await store.vote("w1", "p2", ["no"])
    await store.restore(ConfigVersion(version=7), {})
    await store.leave("w1")


def held(leases: list[Lease]) -> list[tuple[str, str, int]]:
    """The profiles of these leases."""
    return [
        (lease.tenant_id, lease.profile_id, lease.profile_fence or 0)
        for lease in leases
        if lease.profile_id is not None
    ]


def denials(server: RedisServer) -> list[object]:
    """The calls that Redis refused."""
    return [entry["object"] for entry in server.command("ACL", "LOG")]


async def test_a_worker_may_touch_nothing_else(guarded: RedisServer) -> None:
    async with open_redis_client(
        RedisSettings(url=url_of(guarded, "pageworker")), Path("/nonexistent")
    ) as redis_client:
        for words in (
            ("GET", "other"),
            ("SET", "pwx", 1),
            ("FLUSHALL",),
            ("CONFIG", "GET", "*"),
            ("ACL", "LIST"),
            ("KEYS", "*"),
            ("DEBUG", "SLEEP", 0),
            ("FUNCTION", "DELETE", "x"),
            ("SCRIPT", "FLUSH"),
            ("PUBLISH", "other", 1),
            ("SHUTDOWN", "NOSAVE"),
            ("REPLICAOF", "NO", "ONE"),
            ("EVAL", "return redis.call('GET', KEYS[1])", 1, "other"),
        ):
            with pytest.raises(Denied):
                await redis_client.send(*words, key="other")


def test_n8n_pushes_listens_reads_results_and_nothing_else(guarded: RedisServer) -> None:
    guarded.command("SET", "pw:result:acme:1", "{}")
    with closing(guarded.client("n8n", "secret")) as client:
        # Any: redis-py types a reply as a union of all protocols' shapes.
        send: Any = client.execute_command
        assert send("GET", "pw:result:acme:1") == b"{}"
        assert send("RPUSH", "pw:inbox", job(1)) == 1
        assert send("LPUSH", "pw:inbox", job(2)) == 2
        # Any: redis-py leaves it untyped.
        pubsub: Any = client.pubsub
        with pubsub() as heard:
            for listen in (heard.subscribe, heard.psubscribe):
                for channels in ("pw:results:*", "pw:events:*"):
                    listen(channels)
                    message = heard.get_message(timeout=5)
                    assert message is not None
                    assert message["type"] in ("subscribe", "psubscribe")
        for words in (
            ("LRANGE", "pw:inbox", 0, -1),
            ("LPOP", "pw:inbox"),
            ("DEL", "pw:inbox"),
            ("SET", "pw:inbox", 1),
            ("RPUSH", "pw:other", 1),
            ("SET", "pw:result:acme:1", "{}"),
            ("DEL", "pw:result:acme:1"),
            ("GET", "pw:{0}:job:acme/1"),
            ("PUBLISH", "pw:events:acme", 1),
            ("XADD", "pw:jobs", "*", "job", 1),
            ("PUBLISH", "pw:results:acme", 1),
            ("FCALL", "x", 0),
            ("EVAL", "return 1", 0),
            ("INFO",),
            ("CLIENT", "LIST"),
            ("SCAN", 0),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                send(*words)
        with pubsub() as eavesdropper, pytest.raises(redis.exceptions.NoPermissionError):
            eavesdropper.subscribe("pw:control:acme")
            eavesdropper.get_message(timeout=5)


def test_a_reader_reads_every_key_and_changes_nothing(guarded: RedisServer) -> None:
    guarded.command("SET", "pw:result:acme:1", "{}")
    guarded.command("HSET", "pw:{0}:job:other/1", "state", "queued")
    guarded.command("RPUSH", "pw:inbox", "{}")
    guarded.command("SADD", "{pw:inbox}:seen", "x")
    guarded.command("XADD", "pw:{0}:results", "*", "result", "{}")
    with closing(guarded.client("reader", "secret")) as client:
        # Any: redis-py types a reply as a union of all protocols' shapes.
        send: Any = client.execute_command
        assert send("GET", "pw:result:acme:1") == b"{}"
        assert send("HGETALL", "pw:{0}:job:other/1") == {b"state": b"queued"}
        assert send("LRANGE", "pw:inbox", 0, -1) == [b"{}"]
        assert send("SMEMBERS", "{pw:inbox}:seen") == {b"x"}
        assert len(send("XRANGE", "pw:{0}:results", "-", "+")) == 1
        # Any: redis-py leaves it untyped.
        pubsub: Any = client.pubsub
        with pubsub() as heard:
            heard.subscribe("pw:*")
            assert heard.get_message(timeout=5)["type"] == "subscribe"
        for words in (
            ("SET", "pw:result:acme:1", "forged"),
            ("DEL", "pw:result:acme:1"),
            ("EXPIRE", "pw:result:acme:1", 1),
            ("HSET", "pw:{0}:job:other/1", "state", "new"),
            ("RPUSH", "pw:inbox", "{}"),
            ("LPOP", "pw:inbox"),
            ("XADD", "pw:jobs", "*", "job", 1),
            ("XDEL", "pw:{0}:results", "0-1"),
            ("PUBLISH", "pw:results:acme", 1),
            ("EVAL", "return 1", 0),
            ("EVAL_RO", "return 1", 0),
            ("FCALL", "x", 0),
            ("GET", "other"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                send(*words)


def test_an_n8n_of_one_tenant_hears_and_reads_that_tenant_alone(guarded: RedisServer) -> None:
    """As docs/redis.md says to change its line."""
    (line,) = (line for line in SHIPPED.splitlines() if line.startswith("user n8n "))
    rules = line.replace("off resetpass", "on >secret").split()[2:]
    of_acme = {"&pw:results:*": "&pw:results:acme", "&pw:events:*": "&pw:events:acme"}
    of_acme["%R~pw:result:*"] = "%R~pw:result:acme:*"
    assert set(of_acme) <= set(rules)
    guarded.command("ACL", "SETUSER", "acme", *(of_acme.get(rule, rule) for rule in rules))
    for tenant in ("acme", "other"):
        guarded.command("SET", f"pw:result:{tenant}:1", "{}")
    with closing(guarded.client("acme", "secret")) as client:
        # Any: redis-py types a reply as a union of all protocols' shapes.
        send: Any = client.execute_command
        assert send("RPUSH", "pw:inbox", "{}") == 1
        assert send("GET", "pw:result:acme:1") == b"{}"
        with pytest.raises(redis.exceptions.NoPermissionError):
            send("GET", "pw:result:other:1")
        # Any: redis-py leaves it untyped.
        pubsub: Any = client.pubsub
        for channel in ("pw:results:acme", "pw:events:acme"):
            with pubsub() as heard:
                heard.subscribe(channel)
                assert heard.get_message(timeout=5)["type"] == "subscribe"
        for channel in ("pw:results:other", "pw:events:other", "pw:results:*"):
            with pubsub() as heard, pytest.raises(redis.exceptions.NoPermissionError):
                heard.psubscribe(channel)
                heard.get_message(timeout=5)


@pytest.mark.parametrize("granted", [(), ("+xadd",), ("~pw:jobs",), ("+xadd", "~pw:jobs")], ids=" ".join)
def test_a_producer_of_the_stream_needs_two_more_permissions(guarded: RedisServer, granted: tuple[str, ...]) -> None:
    if granted:
        guarded.command("ACL", "SETUSER", "n8n", *granted)
    with closing(guarded.client("n8n", "secret")) as client:
        # Any: redis-py types a reply as a union of all protocols' shapes.
        send: Any = client.execute_command
        if len(granted) == 2:
            assert send("XADD", "pw:jobs", "*", "job", job(1))
        else:
            with pytest.raises(redis.exceptions.NoPermissionError):
                send("XADD", "pw:jobs", "*", "job", job(1))
