"""Traces of a whole worker, as a collector gets them."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pw_otlp import SeenSpan, spans
from pw_receiver import Receiver, receiver
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap, taken

from pageworker_supervisor.telemetry import log

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CALLER}-01"
KEY = "a secret that receivers know"


def sections(collector: Receiver, key_file: Path, **tracing: Any) -> dict[str, dict[str, Any]]:
    """Settings that trace to this collector, and let jobs call back to anything on loopback."""
    key_file.write_text(KEY)
    tenant = {"callback_allow": ["http://127.0.0.1:*/*"], "callback_secret_file": str(key_file)}
    return {
        "tracing": {"endpoint": collector.url(""), **tracing},
        "tenants": {"*": tenant},
        "jobs": {"retry_base_seconds": 0.01},
    }


@asynccontextmanager
async def traced(
    server: RedisServer, registry_key: tuple[Path, str], collector: Receiver, folder: Path, **tracing: Any
) -> AsyncIterator[Echoes]:
    more = sections(collector, folder / "key", **tracing)
    async with echoes(server.url, server, registry_key, more=more) as worker:
        yield worker


async def until_named(collector: Receiver, name: str, count: int = 1) -> list[SeenSpan]:
    """Wait until this number of spans of this name has arrived. Returns all spans."""
    async with asyncio.timeout(20), collector.arrived:
        await collector.arrived.wait_for(lambda: sum(span.name == name for span in spans(collector)) >= count)
    return spans(collector)


async def test_one_trace_from_the_producers_span_to_the_callback(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    async with (
        receiver() as collector,
        receiver() as flow,
        traced(live_redis, registry_key, collector, tmp_path) as worker,
    ):
        job = nap("j1", 20, fields={"trace_id": PARENT, "callback_url": flow.url("/ok")})
        await worker.client.lpush("pw:inbox", job.body)
        await worker.answered(1)
        (post,) = await flow.until(1)
        seen = await until_named(collector, "callback")
    assert {span.trace_id for span in seen} == {TRACE}
    by_name = {span.name: span for span in seen}
    whole, attempt = by_name["job test.nap"], by_name["attempt"]
    assert whole.parent_id == CALLER
    parents = {name: span.parent_id for name, span in by_name.items() if span is not whole}
    of_job, of_attempt = ("intake", "queue wait", "attempt", "callback"), ("claim", "module load", "handler", "finish")
    assert parents == {
        **dict.fromkeys(of_job, whole.span_id),
        **dict.fromkeys((*of_attempt, "page reservation"), attempt.span_id),
    }
    assert attempt.links == (CALLER,)
    assert post.headers["traceparent"] == f"00-{TRACE}-{by_name['callback'].span_id}-01"
    for span in seen:
        # The list tells no push times: there a job counts from its queueing, which its intake ends with.
        assert span.name == "intake" or whole.start <= span.start <= span.end, span
        assert span.attributes["pageworker.tenant"] == "acme"
        assert span.attributes["messaging.message.id"] == "acme/j1"
        assert span.worker == "w1"
    for name in (*of_attempt, "page reservation"):
        assert attempt.start <= by_name[name].start <= by_name[name].end <= attempt.end, name
    handler = by_name["handler"]
    assert 20e6 <= handler.end - handler.start < 5e9
    assert "payload" not in str([span.attributes for span in seen])


async def test_a_retry_on_another_worker_joins_the_trace(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    """The second worker knows the job from Redis alone."""
    async with receiver() as collector, receiver() as flow, AsyncExitStack() as stack:
        more = sections(collector, tmp_path / "key")
        first = await stack.enter_async_context(echoes(live_redis.url, live_redis, registry_key, more=more))
        job = nap("j1", 300, "fail", times=1, fields={"trace_id": PARENT, "callback_url": flow.url("/ok")})
        await first.client.lpush("pw:inbox", job.body)
        await first.until(lambda: taken(first) == 1)
        first.components.dispatcher.hold(True)
        await until_named(collector, "attempt")
        second = await stack.enter_async_context(
            echoes(live_redis.url, live_redis, registry_key, more=more, worker_id="w2")
        )
        await second.answered(1)
        await flow.until(1)
        seen = await until_named(collector, "callback")
    assert {span.trace_id for span in seen} == {TRACE}
    (whole,) = [span for span in seen if span.name == "job test.nap"]
    attempts = [span for span in seen if span.name == "attempt"]
    assert [(span.worker, span.attributes["pageworker.settled"], span.error) for span in attempts] == [
        ("w1", "retry", "handler_error"),
        ("w2", "end", None),
    ]
    assert {span.parent_id for span in attempts} == {whole.span_id}
    assert len({span.span_id for span in attempts}) == 2
    handlers = {span.parent_id: span.error for span in seen if span.name == "handler"}
    assert handlers == {attempts[0].span_id: "handler_error", attempts[1].span_id: None}
    assert (whole.worker, whole.error, whole.parent_id) == ("w2", None, CALLER)
    assert whole.start <= min(span.start for span in attempts), "it begins with the push"


async def test_a_job_is_sampled_as_its_caller_says_else_by_its_share(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    unsampled = PARENT[:-2] + "00"
    async with (
        receiver() as collector,
        receiver() as flow,
        traced(live_redis, registry_key, collector, tmp_path, sample_ratio=0.0) as worker,
    ):
        await worker.push(
            nap("not", 1, fields={"trace_id": unsampled, "callback_url": flow.url("/ok")}),
            nap("share", 1, fields={"trace_id": "ab" * 16, "callback_url": flow.url("/ok")}),
            nap("yes", 1, fields={"trace_id": PARENT, "callback_url": flow.url("/ok")}),
        )
        await worker.answered(3)
        posts = {post.job_id: post.headers.get("traceparent") for post in await flow.until(3)}
        seen = await until_named(collector, "callback")
    assert {span.attributes["messaging.message.id"] for span in seen} == {"acme/yes"}
    assert posts["not"] == unsampled, "the caller's own is passed on"
    assert posts["share"] is None
    assert posts["yes"] != PARENT


async def test_without_tracing_the_callers_traceparent_is_passed_on(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    async with receiver() as flow:
        more = sections(flow, tmp_path / "key")
        del more["tracing"]
        async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
            await worker.push(nap("j1", 1, fields={"trace_id": PARENT, "callback_url": flow.url("/ok")}))
            (post,) = await flow.until(1)
            assert worker.components.tracing.tracer is None
    assert post.headers["traceparent"] == PARENT


@pytest.mark.parametrize("path", ["", "/status/503", "/silent"])
async def test_a_collector_that_is_away_disturbs_nothing(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path, path: str
) -> None:
    """Not there, not able, or silent: jobs run, one line says so within two seconds, and the stop does not wait."""
    lines: list[str] = []
    sink = log.add(lambda message: lines.append(message.record["message"]), level="INFO")
    async with receiver() as collector:
        more = sections(collector, tmp_path / "key", timeout_seconds=30.0)
        more["tracing"]["endpoint"] = collector.url(f"{path}?of=/v1/traces") if path else "http://127.0.0.1:1"
        async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
            await worker.push(*(nap(f"j{n}", 1) for n in range(20)))
            await worker.answered(20)
            await worker.until(lambda: "spans are not delivered" in lines)
            await worker.push(*(nap(f"k{n}", 1) for n in range(20)))
            await worker.answered(40)
    log.remove(sink)
    assert [lines.count(f"spans {what}") for what in ("are not delivered", "were not sent before the end")] == [1, 1]


def test_a_worker_without_an_endpoint_does_not_import_opentelemetry() -> None:
    code = "import sys, pageworker_supervisor.worker; print([n for n in sys.modules if n.startswith('opentelemetry')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=110)
    assert told.stdout.strip() == "[]"
