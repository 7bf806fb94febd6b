"""Events as they come."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from api.conftest import serving, settings_for
from pw_servers import RedisServer

from pageworker_supervisor.api import event_endpoint
from pageworker_supervisor.api.event_endpoint import ALIVE, GAP, EventFeed, sent_event
from pageworker_supervisor.api.tenant_quota import TenantQuota


async def events_of(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, str]]:
    """The fields of each event, comments left out."""
    fields: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif not line and fields:
            yield fields
            fields = {}


async def test_a_tenant_gets_its_events_alone(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_endpoint, "ALIVE_SECONDS", 0.05)
    async with (
        serving(settings_for(live_redis.url)) as api,
        asyncio.timeout(60),
        api.client.stream("GET", "/v1/events", headers=api.as_("a1")) as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        assert await anext(lines) == ": alive"
        live_redis.command("PUBLISH", "pw:events:beta", '{"event": "dead"}')
        live_redis.command("PUBLISH", "pw:events:acme", '{"event": "retrying", "job_id": "17"}')
        event = await anext(events_of(lines))
        assert event["event"] == "retrying"
        assert json.loads(event["data"])["job_id"] == "17"
        live_redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        assert (await anext(events_of(lines)))["event"] == "gap"
        api.tokens.tokens = {}
        async for line in lines:  # it ends: the token is revoked
            assert line in (": alive", "")


async def test_a_slow_client_is_told_what_it_misses() -> None:
    feed = EventFeed("acme", TenantQuota(event_endpoint.MOST_UNREAD_BYTES))
    for number in range(event_endpoint.MOST_WAITING + 1):
        feed.message(b'{"event": "dead", "n": %d}' % number)
    text = await feed.next(10)
    assert text.startswith(GAP)
    assert text.count(b"data: ") == 2
    assert await feed.next(0.01) == ALIVE


async def test_a_slow_client_holds_few_bytes() -> None:
    feed = EventFeed("acme", TenantQuota(event_endpoint.MOST_UNREAD_BYTES))
    large = b"x" * (event_endpoint.MOST_WAITING_BYTES // 4)
    for _ in range(4):  # four of them have too many bytes, with what the stream adds
        feed.message(large)
    assert await feed.next(10) == GAP + sent_event(large)
    feed.message(b"x" * event_endpoint.MOST_WAITING_BYTES)
    feed.gap()
    assert await feed.next(10) == GAP


async def test_the_slow_clients_of_a_tenant_hold_few_bytes_together() -> None:
    one, two, of_beta = 100, 200, 300
    unread = TenantQuota(2 * (len(sent_event(b"x" * one)) + len(sent_event(b"x" * two))))
    slow, other, beta = EventFeed("acme", unread), EventFeed("acme", unread), EventFeed("beta", unread)
    slow.message(b"x" * one)
    assert await slow.next(10) == sent_event(b"x" * one), "it is being sent, and still counts"
    other.message(b"x" * two)
    slow.message(b"late")
    other.message(b"later")
    beta.message(b"x" * of_beta)
    assert await other.next(10) == GAP + sent_event(b"later")
    assert await beta.next(10) == sent_event(b"x" * of_beta)
    assert await slow.next(10) == GAP
    for feed in (slow, other, beta):
        feed.close()
        feed.message(b"after its end")
    assert unread.take("acme", unread.total // 2)
    assert unread.take("beta", unread.total // 2)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (b'{"event":"dead"}', b'event: dead\ndata: {"event":"dead"}\n\n'),
        (b'{"event":"a\\nb"}', b'data: {"event":"a\\nb"}\n\n'),
        (b"no\njson\r", b"data: no json \n\n"),
    ],
)
def test_the_form_of_an_event(text: bytes, sent: bytes) -> None:
    assert sent_event(text) == sent
