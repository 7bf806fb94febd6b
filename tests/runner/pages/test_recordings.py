"""A HAR and a trace of one job: what is in them, what is not, and that nothing of them is left for a later job."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import AttemptReport, Supervisor

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.page_options import HttpCredentials, PageOptions

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OPTIONS = PageOptions(
    http_credentials=HttpCredentials(username="user", password="pass-word-1"),
    extra_http_headers={"x-key": "key-of-the-site"},
)
RECORDED = """
    async with helpers.har(), helpers.trace():
        await page.goto("http://shop.example/p?own")
        await page.evaluate("document.title = 'changed'")
    return {}
"""
FAILS = """
    async with helpers.har(), helpers.trace():
        await page.goto("http://shop.example/p?fails")
        raise ValueError("the handler's own")
"""
STOPPED = """
    async with helpers.har():
        await page.goto("http://shop.example/p?stopped")
        await asyncio.sleep(60)
"""
ANOTHER = """
    for number in range(1000):
        await page.goto("http://shop.example/p?another-job")
        if payload.get("once"):
            return {}
        await asyncio.sleep(0.05)
"""
# What the next job finds of a HAR of the job before.
LOOK = handler("await page.goto('http://shop.example/p?look')\nreturn {'guid': page._impl_obj._guid}", name="look")


# As scripts end that were ported. No trace of the client can be running.
STOPS_NONE = """
    async with helpers.trace():
        await page.context.tracing.stop()
        await page.context.tracing.stop_chunk()
        await page.goto("http://shop.example/p?after-the-stop")
    return {}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    supervisor = await Supervisor(options=OPTIONS).start()
    answers(supervisor)
    yield supervisor
    await supervisor.close()


def answers(supervisor: Supervisor) -> None:
    supervisor.site.pages["/p"] = SiteAnswer(
        "<title>shop</title>key-of-the-site", headers=("Set-Cookie: session=cookie-value-1",)
    )


def kept(report: AttemptReport, kind: str) -> bytes:
    (data,) = [data for message, data in report.artifacts if message.kind == kind]
    return data


def har_of(report: AttemptReport) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(kept(report, "har"))["log"]
    return log


def trace_of(report: AttemptReport) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(kept(report, "trace"))) as trace:
        return {name: trace.read(name) for name in trace.namelist()}


def har_files() -> set[Path]:
    return set(Path("/tmp").glob("pageworker-*.har*"))


async def test_a_har_has_the_requests_of_its_job_and_no_credentials(runner: Supervisor) -> None:
    another = await runner.begin(handler(ANOTHER, name="another"))
    await runner.accepted(another)
    body = RECORDED.replace(", helpers.trace()", "")
    await runner.run(handler("await page.goto('http://shop.example/p?cookie')\nreturn {}", name="cookie"))
    report = await runner.run(handler(body, name="har"))
    assert report.data == {}
    ((message, data),) = report.artifacts
    assert (message.kind, message.content_type) == ("har", "application/json")
    entries = har_of(report)["entries"]
    assert [entry["request"]["url"] for entry in entries] == ["http://shop.example/p?own"]
    assert entries[0]["response"]["status"] == 200
    assert "<title>shop</title>" in entries[0]["response"]["content"]["text"]
    for secret in (b"pass-word-1", b"key-of-the-site", b"cookie-value-1"):
        assert secret not in data
    names = {header["name"].lower() for header in entries[0]["request"]["headers"]}
    assert {"x-key", "cookie"} <= names
    await runner.send(m.Cancel(attempt_id=another, outcome="cancelled"))
    await runner.finished(another)


async def test_a_har_without_bodies_of_some_urls(runner: Supervisor) -> None:
    body = """
        async with helpers.har(bodies=False, url="**/p?one", kind="part"):
            await page.goto("http://shop.example/p?one")
            await page.goto("http://shop.example/p?two")
        return {}
    """
    report = await runner.run(handler(body, name="part"))
    entries = json.loads(kept(report, "part"))["log"]["entries"]
    assert [entry["request"]["url"] for entry in entries] == ["http://shop.example/p?one"]
    assert "text" not in entries[0]["response"]["content"]


async def test_a_har_of_a_failed_handler_is_kept_beside_its_error(runner: Supervisor) -> None:
    report = await runner.run(handler(FAILS.replace(", helpers.trace()", ""), name="fails"))
    assert report.failure.type == "handler_error"
    assert "the handler's own" in report.failure.message
    assert [entry["request"]["url"] for entry in har_of(report)["entries"]] == ["http://shop.example/p?fails"]


async def test_a_har_of_a_stopped_handler_is_kept(runner: Supervisor) -> None:
    report = await runner.run(handler(STOPPED, name="stopped"), timeout_seconds=5)
    assert report.done is not None
    assert report.done.outcome == "timed_out"
    assert [entry["request"]["url"] for entry in har_of(report)["entries"]] == ["http://shop.example/p?stopped"]


async def test_nothing_of_a_har_is_left(start: Callable[..., Awaitable[Supervisor]]) -> None:
    runner = await start(pages=1)
    answers(runner)
    first = (await runner.run(LOOK)).data["guid"]
    before = har_files()
    await runner.run(handler(RECORDED.replace(", helpers.trace()", ""), name="har"))
    left = har_files() - before
    assert [path for path in left if "own" in path.read_text() or path.suffix == ".zip"] == []
    assert (await runner.run(LOOK)).data["guid"] != first
    # The next one gets the same file.
    report = await runner.run(handler(RECORDED.replace(", helpers.trace()", "").replace("own", "next"), name="next"))
    assert [entry["request"]["url"] for entry in har_of(report)["entries"]] == ["http://shop.example/p?next"]
    assert har_files() - before == left
    assert runner.retired == []


async def test_a_trace_has_what_its_job_did_and_nothing_of_other_jobs(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start(options=OPTIONS)
    answers(runner)
    another = await runner.begin(handler(ANOTHER, name="another"))
    await runner.accepted(another)
    report = await runner.run(handler(RECORDED, name="trace"))
    assert report.data == {}
    files = trace_of(report)
    events = [json.loads(line) for line in files["trace.trace"].splitlines()]
    assert [event["method"] for event in events if event["type"] == "before"] == ["goto", "evaluateExpression"]
    assert any(event["type"] == "frame-snapshot" for event in events)
    assert any(name.startswith("resources/") for name in files)
    whole = b"".join(files.values())
    assert b"p?own" in whole
    for absent in (b"another-job", b"pass-word-1", b"cookie-value-1"):
        assert absent not in whole, absent
    assert b"key-of-the-site" not in files["trace.trace"] + files["trace.network"]
    # Playwright cannot take a trace back.
    assert len(runner.retired) == 1
    assert "trace" in runner.retired[0]
    await runner.send(m.Cancel(attempt_id=another, outcome="cancelled"))
    await runner.finished(another)


async def test_a_trace_of_a_failed_handler_is_kept_beside_its_error(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start(pages=1)
    answers(runner)
    report = await runner.run(handler(FAILS, name="fails"))
    assert "the handler's own" in report.failure.message
    assert b"p?fails" in trace_of(report)["trace.network"]


async def test_jobs_record_their_traces_one_after_the_other(start: Callable[..., Awaitable[Supervisor]]) -> None:
    runner = await start(pages=2)
    answers(runner)
    body = """
        async with helpers.trace():
            await page.goto(f"http://shop.example/p?{payload['name']}")
            await asyncio.sleep(0.5)
        return {}
    """
    traced = handler(body, name="traced")
    attempts = [await runner.begin(traced, {"name": name}) for name in ("first", "second")]
    reports = await asyncio.gather(*map(runner.finished, attempts))
    networks = [trace_of(report)["trace.network"] for report in reports]
    assert [(b"?first" in each, b"?second" in each) for each in networks] == [(True, False), (False, True)]


async def test_a_trace_within_a_trace_is_refused(start: Callable[..., Awaitable[Supervisor]]) -> None:
    runner = await start(pages=1)
    body = "async with helpers.trace():\n    async with helpers.trace():\n        pass"
    report = await runner.run(handler(body, name="nested"))
    assert "records a trace already" in report.failure.message


async def test_a_recording_that_is_too_large_fails_the_job_with_its_limit(runner: Supervisor) -> None:
    runner.site.pages["/large"] = SiteAnswer("x" * 17_000_000)
    body = """
        async with helpers.har():
            await page.goto("http://shop.example/p")
            for number in range(2):
                await page.evaluate("fetch('/large').then(answer => answer.arrayBuffer()).then(() => 1)")
        return {}
    """
    report = await runner.run(handler(body, name="large"))
    assert report.failure.type == "output_limit"


async def test_a_stop_of_no_trace_of_its_own_ends_no_other_trace(runner: Supervisor) -> None:
    stops = handler(STOPS_NONE, name="stops")
    assert b"?after-the-stop" in b"".join(trace_of(await runner.run(stops)).values())
    fails = handler("await page.context.tracing.stop(path='/tmp/trace.zip')\nreturn {}", name="stops-into-a-file")
    assert (await runner.run(fails)).failure.type == "refused"


@pytest.mark.parametrize("succeeds", [True, False])
async def test_a_trace_in_case_of_a_failure_is_kept_of_a_failure_alone(
    start: Callable[..., Awaitable[Supervisor]], succeeds: bool
) -> None:
    runner = await start(pages=1)
    answers(runner)
    end = "return {}" if succeeds else "raise Failed('no')"
    traced = handler(f"await page.goto('http://shop.example/p')\n{end}", name="traced")
    report = await runner.run(traced, trace=True)
    kept = {message.kind: data for message, data in report.artifacts}
    assert ("trace" in kept) is not succeeds
    if not succeeds:
        with zipfile.ZipFile(io.BytesIO(kept["trace"])) as trace:
            assert b"http://shop.example/p" in trace.read("trace.trace")
    assert len(runner.retired) == 1, "a trace cannot be taken back"
