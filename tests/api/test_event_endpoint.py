"""Events as they come."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from api.conftest import serving, settings_for
from pw_servers import RedisServer

from pageworker_supervisor.api import event_endpoint
from pageworker_supervisor.api.event_endpoint import ALIVE, GAP, EventFeed, sent_event


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
    feed = EventFeed()
    for number in range(event_endpoint.MOST_WAITING + 1):
        feed.message(b'{"event": "dead", "n": %d}' % number)
    text = await feed.next(10)
    assert text.startswith(GAP)
    assert text.count(b"data: ") == 2
    assert await feed.next(0.01) == ALIVE


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
