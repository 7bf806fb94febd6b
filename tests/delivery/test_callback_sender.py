"""The callback sender against a real receiver, with an outbox in memory."""

import asyncio
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from pw_receiver import Received, Receiver, receiver

from pageworker_supervisor.config.settings import CallbackSettings, Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.delivery import callback_policy, callback_sender, circuit_breaker, http_client
from pageworker_supervisor.delivery.callback_policy import Answered, DeliveryTrouble, ReceiverUnreachable
from pageworker_supervisor.delivery.callback_sender import CallbackSender
from pageworker_supervisor.delivery.outbox import OutboxEntry
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.telemetry.metrics import Metrics

T = TypeVar("T")

SECRET = b"a secret that receivers know"


@dataclass
class MemoryOutbox:
    """What the queue's outbox does, in memory and on this loop's clock."""

    due: list[tuple[float, OutboxEntry]] = field(default_factory=list)
    taken: dict[str, OutboxEntry] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    postponed: list[tuple[str, int]] = field(default_factory=list)
    given_up: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    away: int = 0
    """So many calls fail."""

    def add(self, url: str, job_id: str = "job-1", *, tenant_id: str = "acme", age_seconds: float = 0.0) -> None:
        result = json.dumps({"job_id": job_id, "status": "succeeded", "data": "ü"}).encode()
        self.due.append(
            (
                0.0,
                OutboxEntry(
                    id=f"p-{job_id}",
                    shard=0,
                    ref=JobRef(tenant_id, job_id),
                    callback_url=url,
                    result=result,
                    tries=0,
                    since=time.monotonic() - age_seconds,
                    token="t",
                ),
            )
        )

    async def take(self, count: int, block_ms: int) -> Sequence[OutboxEntry]:
        self._reach()
        loop = asyncio.get_running_loop()
        async with self.changed:
            now = loop.time()
            ripe = [item for item in self.due if item[0] <= now][:count]
            if not ripe:
                soonest = min((at for at, _ in self.due), default=now + 0.05)
                with_time = max(0.0, min(soonest - now, block_ms / 1000))
                try:
                    async with asyncio.timeout(with_time):
                        await self.changed.wait()
                except TimeoutError:
                    return []
            for item in ripe:
                self.due.remove(item)
                self.taken[item[1].id] = item[1]
            return [entry for _, entry in ripe]

    async def done(self, entries: Sequence[OutboxEntry]) -> None:
        self._reach()
        async with self.changed:
            for entry in entries:
                del self.taken[entry.id]
                self.ended.append(entry.ref.job_id)
            self.changed.notify_all()

    async def later(self, entry: OutboxEntry, delay_ms: int) -> None:
        self._reach()
        assert delay_ms > 0
        async with self.changed:
            again = msgspec.structs.replace(self.taken.pop(entry.id), tries=entry.tries + 1)
            self.due.append((asyncio.get_running_loop().time() + delay_ms / 1000, again))
            self.postponed.append((entry.ref.job_id, delay_ms))
            self.changed.notify_all()

    async def failed(self, entry: OutboxEntry, event: bytes) -> None:
        self._reach()
        async with self.changed:
            del self.taken[entry.id]
            self.given_up.append((entry.ref.job_id, json.loads(event)))
            self.changed.notify_all()

    async def until(self, what: Callable[[], bool]) -> None:
        async with self.changed:
            await self.changed.wait_for(what)

    def _reach(self) -> None:
        if self.away:
            self.away -= 1
            raise RedisUnavailable("gone")


class ImmediateRetries:
    """Repeats a failed call at once. The real one waits until Redis answers."""

    async def retry_until_available(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except RedisUnavailable:
                await asyncio.sleep(0)


@dataclass
class CallbackSetup:
    outbox: MemoryOutbox
    receiver: Receiver
    callback_sender: CallbackSender
    metrics: Metrics
    secret: Path


@asynccontextmanager
async def setup(tmp_path: Path, allow: Sequence[str] = (), **callbacks: Any) -> AsyncIterator[CallbackSetup]:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    async with receiver() as there:
        tenant = TenantSettings(callback_allow=("http://127.0.0.1:*", *allow), callback_secret_file=secret)
        chosen = Settings(
            tenants={"acme": tenant, "mute": TenantSettings(callback_allow=("http://127.0.0.1:*",))},
            callbacks=CallbackSettings(**callbacks),
        )
        outbox, metrics = MemoryOutbox(), Metrics()
        at_work = CallbackSender(
            outbox, ImmediateRetries(), chosen.callbacks, chosen.worker.id, partial(limits_for, chosen.tenants), metrics
        )
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(at_work.run())
            yield CallbackSetup(outbox, there, at_work, metrics, secret)
            running.cancel()


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same schedule, ten times as fast."""
    monkeypatch.setattr(callback_policy, "BASE_SECONDS", 0.05)
    monkeypatch.setattr(callback_policy, "FLOOR_SECONDS", 0.005)
    monkeypatch.setattr(circuit_breaker, "FIRST_PAUSE_SECONDS", 0.2)


def verified(received: Received, secret: bytes = SECRET) -> bool:
    """As a receiver does it."""
    parts = dict(part.split("=", 1) for part in received.headers["pageworker-signature"].split(","))
    expected = hmac.new(secret, parts["t"].encode() + b"." + received.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300


async def test_a_result_is_posted_signed_and_settled(tmp_path: Path) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url("/ok/a%20b'c?sig=%2f|x"))
        await it.outbox.until(lambda: it.outbox.ended == ["job-1"])
    (received,) = it.receiver.received
    assert received.target == "/ok/a%20b'c?sig=%2f|x"
    assert json.loads(received.body)["data"] == "ü"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["idempotency-key"] == "acme:job-1"
    assert received.headers["host"] == f"127.0.0.1:{it.receiver.port}"
    assert verified(received)
    assert not verified(received, b"another secret")
    assert not it.callback_sender.held
    assert b'pageworker_callbacks_total{outcome="delivered"} 1.0' in it.metrics.expose()


@pytest.mark.parametrize("path", ["/then/500?times=2", "/then/429?times=1", "/reset?times=2", "/then/503?times=3"])
async def test_what_passes_is_tried_until_it_is_delivered(tmp_path: Path, path: str) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url(path))
        await it.outbox.until(lambda: it.outbox.ended == ["job-1"])
    tries = len(it.receiver.received)
    assert tries == int(path[-1]) + 1
    assert len({each.job_id for each in it.receiver.received}) == 1
    assert len({each.body for each in it.receiver.received}) == 1
    if "429" in path:
        assert it.receiver.received[1].at - it.receiver.received[0].at >= 1.0


async def test_n8n_is_asked_again_within_a_tenth_of_a_second_until_it_has_parked(tmp_path: Path) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url("/running?times=4"))
        await it.outbox.until(lambda: it.outbox.ended == ["job-1"])
    assert len(it.receiver.received) == 5
    assert all(50 <= delay_ms <= 100 for _, delay_ms in it.outbox.postponed)


@pytest.mark.parametrize("path", ["/finished", "/status/404", "/status/401", "/redirect"])
async def test_what_is_final_is_told_once_and_ends_in_an_event(tmp_path: Path, path: str) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url(path))
        await it.outbox.until(lambda: bool(it.outbox.given_up))
    ((job_id, event),) = it.outbox.given_up
    assert len(it.receiver.received) == 1
    assert (job_id, event["event"], event["tenant_id"]) == ("job-1", "callback_failed", "acme")
    assert event["detail"]["tries"] == 1
    assert "HTTP" in event["error"]["message"]
    assert "127.0.0.1" not in json.dumps(event)


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url("/redirect"))
        await it.outbox.until(lambda: bool(it.outbox.given_up))
        it.outbox.add(it.receiver.url("/ok"), "job-2")
        await it.outbox.until(lambda: it.outbox.ended == ["job-2"])
    assert [each.target for each in it.receiver.received] == ["/redirect", "/ok"]


async def test_the_age_limit_ends_it(tmp_path: Path) -> None:
    async with setup(tmp_path, max_seconds=60, timeout_seconds=1) as it:
        it.outbox.add(it.receiver.url("/status/500"), age_seconds=59.999)
        await it.outbox.until(lambda: bool(it.outbox.given_up))
    assert "given up after 1 tries" in it.outbox.given_up[0][1]["error"]["message"]


@pytest.mark.parametrize("path", ["/endless", "/drip"])
async def test_a_body_without_end_does_not_hold_a_delivered_result(tmp_path: Path, path: str) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url(path))
        await it.outbox.until(lambda: it.outbox.ended == ["job-1"])
    assert len(it.receiver.received) == 1


@pytest.mark.parametrize("path", ["/silent", "/nonsense"])
async def test_no_answer_is_tried_again(tmp_path: Path, path: str) -> None:
    async with setup(tmp_path, timeout_seconds=0.2) as it:
        it.outbox.add(it.receiver.url(path))
        await it.outbox.until(lambda: len(it.outbox.postponed) >= 2)
    assert not it.outbox.ended
    assert not it.outbox.given_up


async def test_a_url_that_is_no_longer_allowed_is_not_called(tmp_path: Path) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(f"http://localhost:{it.receiver.port}/ok", "other-host")
        it.outbox.add(it.receiver.url("/ok"), "other-tenant", tenant_id="stranger")
        it.outbox.add(it.receiver.url("/ok"), "no-secret", tenant_id="mute")
        it.outbox.add(it.receiver.url("/x/../ok"), "climbs")
        await it.outbox.until(lambda: len(it.outbox.given_up) == 4)
    assert not it.receiver.received
    reasons = {job_id: event["error"]["message"] for job_id, event in it.outbox.given_up}
    assert "callback_allow" in reasons["other-host"]
    assert "callback_allow" in reasons["other-tenant"]
    assert "no callback secret" in reasons["no-secret"]


@pytest.mark.parametrize("host", ["xn--a.n8n.example", "127.0.0.999", "[:::::]"])
async def test_a_host_that_httpx_refuses_is_final(host: str) -> None:
    async with http_client.CallbackHttpClient(1, 1) as client:
        outcome = await client.post(CallbackTarget("https", host, 443, "/", "/"), {}, b"")
    assert isinstance(outcome, ReceiverUnreachable)
    assert outcome.trouble is DeliveryTrouble.URL


@pytest.mark.parametrize("function", ["allowed", "sign"])
async def test_a_bug_ends_one_callback_and_not_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    original, calls = getattr(callback_sender, function), 0

    def fails_once(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyError("a bug")
        return original(*args)

    monkeypatch.setattr(callback_sender, function, fails_once)
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url("/ok"), "bad")
        await it.outbox.until(lambda: bool(it.outbox.given_up))
        it.outbox.add(it.receiver.url("/ok"), "good")
        await it.outbox.until(lambda: it.outbox.ended == ["good"])
    ((job_id, event),) = it.outbox.given_up
    assert job_id == "bad"
    assert "a bug of the worker" in event["error"]["message"]


async def test_a_new_secret_is_used_at_once_and_a_missing_one_is_waited_for(tmp_path: Path) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url("/ok"))
        await it.outbox.until(lambda: it.outbox.ended == ["job-1"])
        it.secret.unlink()
        it.outbox.add(it.receiver.url("/ok"), "job-2")
        await it.outbox.until(lambda: bool(it.outbox.postponed))
        assert len(it.receiver.received) == 1
        it.secret.write_bytes(b"the new secret of this tenant")
        await it.outbox.until(lambda: it.outbox.ended == ["job-1", "job-2"])
    assert verified(it.receiver.received[1], b"the new secret of this tenant")


async def test_a_dead_and_a_slow_receiver_delay_no_other(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = closed.getsockname()[1]
        async with setup(tmp_path, concurrency=16, host_concurrency=4, timeout_seconds=15) as it, receiver() as slow:
            for number in range(60):
                it.outbox.add(f"http://127.0.0.1:{dead}/x", f"dead-{number}")
                it.outbox.add(slow.url("/slow"), f"slow-{number}")
            await slow.until(4)
            began = asyncio.get_running_loop().time()
            for number in range(20):
                it.outbox.add(it.receiver.url("/ok"), f"good-{number}")
            await it.outbox.until(lambda: len(it.outbox.ended) == 20)
            assert asyncio.get_running_loop().time() - began < 3
            assert all(job_id.startswith("good") for job_id in it.outbox.ended)
            assert slow.most_at_once == 4
            slow.hold.set()
            await it.outbox.until(lambda: sum(job_id.startswith("slow") for job_id in it.outbox.ended) == 60)
            assert not it.outbox.given_up
        assert slow.most_at_once == 4


async def test_a_receiver_that_comes_back_gets_everything(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with setup(tmp_path) as it:
        for number in range(30):
            it.outbox.add(f"http://127.0.0.1:{port}/ok", f"job-{number}")
        await it.outbox.until(lambda: len(it.outbox.postponed) >= 30)
        assert not it.outbox.ended
        async with receiver(port) as back:
            await it.outbox.until(lambda: len(it.outbox.ended) == 30)
    assert sorted({each.job_id for each in back.received}) == sorted(f"job-{number}" for number in range(30))


async def test_many_callbacks_share_a_few_connections(tmp_path: Path) -> None:
    async with setup(tmp_path, concurrency=8, host_concurrency=8) as it:
        for number in range(400):
            it.outbox.add(it.receiver.url("/ok"), f"job-{number}")
        await it.outbox.until(lambda: len(it.outbox.ended) == 400)
    assert it.receiver.connections <= 8
    assert it.receiver.most_at_once <= 8
    assert len(it.receiver.received) == 400


async def test_redis_away_in_between_loses_and_repeats_nothing(tmp_path: Path) -> None:
    async with setup(tmp_path) as it:
        for number in range(20):
            it.outbox.add(it.receiver.url("/ok"), f"job-{number}")
        await it.receiver.until(1)
        it.outbox.away = 50
        await it.outbox.until(lambda: len(it.outbox.ended) == 20)
    assert len(it.receiver.received) == 20


async def test_stopping_settles_what_is_under_way_and_gives_back_what_waits(tmp_path: Path) -> None:
    async with setup(tmp_path, concurrency=4, host_concurrency=2) as it:
        for number in range(6):
            it.outbox.add(it.receiver.url("/slow"), f"job-{number}")
        await it.receiver.until(2)
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(it.callback_sender.stop())
            await it.outbox.until(lambda: len(it.outbox.postponed) == 4)
            assert not stopping.done()
            it.receiver.hold.set()
        assert len(it.outbox.ended) == 2
        assert not it.outbox.taken
        assert not it.callback_sender.held


async def test_a_promise_that_comes_again_while_it_is_held_is_not_sent_twice(tmp_path: Path) -> None:
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url("/slow"))
        await it.receiver.until(1)
        it.outbox.add(it.receiver.url("/slow"))
        it.outbox.add(it.receiver.url("/ok"), "job-2")
        await it.outbox.until(lambda: it.outbox.ended == ["job-2"])
        assert len(it.receiver.at("/slow")) == 1
        it.receiver.hold.set()
        await it.outbox.until(lambda: len(it.outbox.ended) == 2)


async def test_no_more_of_an_answer_is_kept_than_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "BODY_SECONDS", 1000)
    async with receiver() as there, http_client.CallbackHttpClient(5.0, 1) as poster:
        target = CallbackTarget.parse(there.url("/endless"))
        assert target is not None
        async with asyncio.timeout(5):
            outcome = await poster.post(target, {"Idempotency-Key": "j"}, b"{}")
    assert outcome == Answered(200, bytes(http_client.EXCERPT_BYTES))


def test_a_blocked_take_stays_below_the_clients_time_limit() -> None:
    assert callback_sender.BLOCK_MS < 5000
