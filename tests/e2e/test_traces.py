"""One trace through a whole worker: the producer's span, the sandboxed module with its page, and the callback."""

import asyncio
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from pw_otlp import spans
from pw_receiver import receiver
from pw_servers.pages import answer_all

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(180)]

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
BODY = """
with helpers.span("look", shop="north"):
    await page.goto(payload["url"])
await helpers.artifact("note", "seen")
await page.wait_for_function("window.seen")
return {}
"""
PAGE = b"<script>console.error('loud'); window.seen = true</script>"


async def test_spans_of_module_page_and_artifact_join_the_trace_and_the_console_the_log(tmp_path: Path) -> None:
    module = write_module(tmp_path, "test.traced", BODY, egress=["site.test"])
    site = await asyncio.start_server(partial(answer_all, page=lambda _: (b"text/html", PAGE)), "127.0.0.1", 0)
    port = site.sockets[0].getsockname()[1]
    async with (
        receiver() as collector,
        receiver() as flow,
        place(module) as here,
        aclosing(Producer(here.redis.url)) as producer,
    ):
        with here.worker(
            browser=HEADLESS_SHELL,
            egress={"hosts": {"site.test": f"127.0.0.1:{port}"}},
            tracing={"endpoint": collector.url("")},
        ) as daemon:
            fields = {"trace_id": f"00-{TRACE}-{CALLER}-01", "callback_url": flow.url("/ok")}
            await producer.push(
                producer.job("j1", "test.traced", {"url": "http://site.test/page?token=word"}, **fields)
            )
            await producer.collect(1, 90)
            async with asyncio.timeout(30), collector.arrived:
                await collector.arrived.wait_for(lambda: any(span.name == "callback" for span in spans(collector)))
            lines = daemon.log()
    site.close()
    assert producer.results["j1"]["status"] == "succeeded", producer.results
    seen = {span.name: span for span in spans(collector)}
    assert {span.trace_id for span in seen.values()} == {TRACE}
    names = ("callback", "navigate", "look", "handler", "attempt", "job test.traced")
    way = {name: seen[name].parent_id for name in names}
    parents = {"callback": "job test.traced", "navigate": "look", "look": "handler", "handler": "attempt"}
    parents |= {"attempt": "job test.traced"}
    assert way == {**{name: seen[parent].span_id for name, parent in parents.items()}, "job test.traced": CALLER}
    assert seen["artifact upload"].parent_id == seen["attempt"].span_id
    assert seen["look"].attributes["module.shop"] == "north"
    assert seen["navigate"].attributes["server.address"] == "site.test"
    assert "word" not in str([span.attributes for span in seen.values()])
    for name in ("navigate", "look"):
        assert seen["handler"].start <= seen[name].start <= seen[name].end <= seen["handler"].end + 1000
    (line,) = [line for line in lines if line["message"] == "browser: loud"]
    told = (line["job"], line["trace_id"], line["module"], line["module_version"], line["browser_kind"], line["level"])
    assert told == ("acme/j1", TRACE, "test.traced", "1.0.0", "console.error", "error")
    assert {"worker_id", "runner_id", "job_id", "tenant_id"} <= set(line)
