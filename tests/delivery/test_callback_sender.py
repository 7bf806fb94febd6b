"""The callback sender against a real receiver, with an outbox in memory."""

import asyncio
import hashlib
import hmac
import io
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from pw_callbacks import SECRET, TOKEN, setup
from pw_receiver import Received, receiver

from pageworker_supervisor.delivery import callback_policy, callback_sender, circuit_breaker
from pageworker_supervisor.telemetry import log


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
    assert received.headers["x-worker-token"] == TOKEN
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
    assert f'pageworker_callbacks_total{{outcome="later"}} {tries - 1}.0'.encode() in it.metrics.expose()
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
    assert b'pageworker_callbacks_total{outcome="final"} 1.0' in it.metrics.expose()
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


def test_a_blocked_take_stays_below_the_clients_time_limit() -> None:
    assert callback_sender.BLOCK_MS < 5000


async def test_the_headers_of_a_tenant_are_in_no_log_and_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A final answer, a retried one and a bug: each is logged."""
    stream = io.StringIO()
    sink = log.add(stream, level="DEBUG", diagnose=False)
    async with setup(tmp_path) as it:
        it.outbox.add(it.receiver.url("/status/403"), "refused")
        it.outbox.add(it.receiver.url("/then/500?times=1"), "later")
        await it.outbox.until(lambda: it.outbox.ended == ["later"] and len(it.outbox.given_up) == 1)
        monkeypatch.setattr(callback_sender, "sign", None)
        it.outbox.add(it.receiver.url("/ok"), "bad")
        await it.outbox.until(lambda: len(it.outbox.given_up) == 2)
    log.remove(sink)
    logged = stream.getvalue()
    assert "callback given up" in logged
    assert "callback ended by a bug" in logged
    assert TOKEN not in logged + str(it.outbox.given_up)
