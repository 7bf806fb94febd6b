"""Reading the fleet from a real Redis: bounded, without workers, and whatever others wrote."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from pw_queue import ticket
from pw_servers import RedisServer, redis_server
from scaling.conftest import FleetClients, fleet_clients
from scaling.test_fleet_state import report

from pageworker_supervisor.redis_client.errors import WrongType
from pageworker_supervisor.scaling import reader
from pageworker_supervisor.scaling.fleet_state import FleetState
from pageworker_supervisor.scaling.reader import FleetReader


@pytest.fixture
async def fleet(live_redis: RedisServer) -> AsyncIterator[FleetClients]:
    async with fleet_clients(live_redis.url) as clients:
        yield clients


def reader_of(fleet: FleetClients) -> FleetReader:
    return FleetReader(fleet.redis_client, fleet.queue, fleet.settings)


async def read(fleet: FleetClients) -> FleetState:
    return await reader_of(fleet).read()


async def clock_ms(fleet: FleetClients) -> int:
    seconds, micros = await fleet.redis_client.send("TIME", key="")
    return int(seconds) * 1000 + int(micros) // 1000


async def test_an_empty_fleet_has_nothing_to_do(fleet: FleetClients) -> None:
    state = await read(fleet)
    assert set(state.jobs.values()) == {0}
    assert set(state.oldest_seconds.values()) == {0}
    assert (state.load.waiting, state.load.running, state.load.other_work, state.load.live_workers) == (0, 0, False, 0)
    assert state.memory is not None
    assert state.memory.used_bytes > 100_000


async def test_what_no_worker_has_taken_in_waits_and_has_an_age(fleet: FleetClients) -> None:
    reading = reader_of(fleet)
    await fleet.send("RPUSH", "pw:inbox", "a", "b")
    pushed_ms = await clock_ms(fleet)
    await fleet.send("XADD", "pw:jobs", f"{pushed_ms - 4000}-0", "job", "{}")
    first = await reading.read()
    assert (first.jobs["inbox"], first.jobs["stream"], first.load.waiting) == (2, 1, 3)
    assert 4 <= first.oldest_seconds["stream"] < 60
    assert first.oldest_seconds["inbox"] == 0, "one reading does not know"
    await fleet.send("RPUSH", "pw:inbox", "c")
    second = await reading.read()
    assert second.oldest_seconds["inbox"] == pytest.approx(second.at - first.at, abs=0.1)
    await fleet.send("DEL", "pw:inbox")
    await fleet.send("RPUSH", "pw:inbox", "d")
    assert (await reading.read()).oldest_seconds["inbox"] == 0, "another text"


async def test_the_intake_of_a_worker_knows_the_age_of_the_list(fleet: FleetClients) -> None:
    since = await clock_ms(fleet) - 8000
    await fleet.send("RPUSH", "pw:inbox", "a")
    await fleet.send("SET", "{pw:inbox}:seen", f"x y 1:{since}")
    assert 8 <= (await read(fleet)).oldest_seconds["inbox"] < 60


async def test_texts_that_a_dead_worker_took_in_need_another_worker(fleet: FleetClients) -> None:
    now = await clock_ms(fleet) // 1000
    for worker, heard in (("dead", now - 100), ("alive", now)):
        await fleet.send("ZADD", "{pw:inbox}:workers", heard, worker)
        await fleet.send("RPUSH", f"{{pw:inbox}}:processing:{worker}", "a", "b")
    state = await read(fleet)
    assert (state.jobs["inbox"], state.load.waiting) == (2, 2)


async def test_a_worker_that_left_in_order_does_not_keep_the_fleet_awake(fleet: FleetClients) -> None:
    await fleet.send("ZADD", "{pw:inbox}:workers", 1, "left")
    assert (await read(fleet)).load.waiting == 0


async def test_queued_jobs_are_the_load(fleet: FleetClients) -> None:
    await fleet.queue.producer.enqueue([ticket(f"j{number}", concurrency=3) for number in range(5)])
    state = await read(fleet)
    assert (state.jobs["queued"], state.load.waiting) == (5, 3)
    assert state.backlogs_looked_at == 1


async def test_many_backlogs_are_read_in_turns(fleet: FleetClients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BACKLOGS_PER_CALL", 2)
    monkeypatch.setattr(reader, "CALLS_PER_SHARD", 3)
    for number in range(10):
        jobs = [ticket(f"j{each}", f"t{number}") for each in range(3)]
        await fleet.queue.producer.enqueue(jobs)
    reading = reader_of(fleet)
    first, second = [await reading.read() for _ in range(2)]
    assert (first.backlogs_looked_at, first.load.waiting, first.jobs["queued"]) == (0.6, 30, 30), "the first estimates"
    assert (second.backlogs_looked_at, second.load.waiting) == (1, 30)
    await fleet.queue.producer.enqueue([ticket("more", "t0")])
    assert (await reading.read()).load.waiting == 31


async def test_reports_of_workers_are_read_and_other_texts_are_not(fleet: FleetClients) -> None:
    now = await clock_ms(fleet) / 1000
    good = msgspec.json.encode(report(reported_at=now))
    for name, text in (("w.1", good), ("w.2", b"\xff{"), ("\x1b[2J", b'{"state": "ready"}')):
        await fleet.send("HSET", "pw:{0}:worker_reports", name, text)
    state = await read(fleet)
    assert state.workers["ready"] == 1
    assert state.load.pages_per_worker == 16


async def test_pauses_are_counted(fleet: FleetClients) -> None:
    await fleet.send(
        "HSET", "pw:{0}:paused", "tacme", "{}", "mshop.*", '{"until_ms": 5}', "dslow.test", "{}", "bacme", "{}"
    )
    assert (await read(fleet)).paused == {"tenant": 1, "module": 0, "domain": 1, "budget": 1}


async def test_pauses_of_many_shards_are_read_at_once(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet_clients(live_redis.url, shards=40) as fleet:
        sent, under_way, most = fleet.redis_client.send, 0, 0

        async def counted(*words: Any, key: str, blocks: bool = False) -> Any:
            nonlocal under_way, most
            of_pauses = key.endswith(":paused")
            under_way += of_pauses
            most = max(most, under_way)
            try:
                return await sent(*words, key=key, blocks=blocks)
            finally:
                under_way -= of_pauses

        await fleet.send("HSET", "pw:{39}:paused", "tacme", "{}")
        monkeypatch.setattr(fleet.redis_client, "send", counted)
        assert (await read(fleet)).paused["tenant"] == 1
        assert 2 < most <= reader.SHARDS_AT_ONCE


async def test_a_key_of_a_wrong_type_is_a_named_error(fleet: FleetClients) -> None:
    await fleet.send("SET", "pw:inbox", "x")
    with pytest.raises(WrongType):
        await read(fleet)


async def test_without_the_right_to_info_the_memory_is_not_known() -> None:
    with redis_server() as server:
        server.command("ACL", "SETUSER", "default", "-info")
        async with fleet_clients(server.url) as fleet:
            reading = reader_of(fleet)
            assert [(await reading.read()).memory for _ in range(2)] == [None, None]
        server.command("ACL", "SETUSER", "default", "+info")


async def test_a_separate_ingress_is_read(live_redis: RedisServer) -> None:
    with redis_server() as ingress:
        ingress.command("RPUSH", "pw:inbox", "a")
        async with fleet_clients(live_redis.url, ingress_url=ingress.url) as fleet:
            assert (await read(fleet)).jobs["inbox"] == 1
