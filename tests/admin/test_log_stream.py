"""The answer to a request for log lines."""

import asyncio
import json
import logging

import pytest

from pageworker_supervisor.admin import log_stream
from pageworker_supervisor.admin.log_stream import LogRequest, log_lines
from pageworker_supervisor.telemetry.recent_lines import RecentLines


def filled(count: int = 3, most_lines: int = 100) -> RecentLines:
    lines = RecentLines(most_lines=most_lines)
    for number in range(count):
        level = logging.WARNING if number % 2 else logging.INFO
        lines.add(level, json.dumps({"message": f"m{number}", "job": f"acme/{number}"}, separators=(",", ":")))
    return lines


async def told(lines: RecentLines, request: LogRequest, now: float | None = None) -> list[dict[str, object]]:
    text = b"".join([part async for part in log_lines(lines, request, now)])
    return [json.loads(line) for line in text.splitlines()]


async def test_the_head_says_what_is_kept() -> None:
    head, *rest = await told(filled(5, most_lines=3), LogRequest())
    assert (head["kept"], head["dropped"]) == (3, 2)
    assert isinstance(head["oldest"], float)
    assert [line["message"] for line in rest] == ["m2", "m3", "m4"]
    assert await told(RecentLines(), LogRequest()) == [{"kept": 0, "dropped": 0, "oldest": None}]


@pytest.mark.parametrize(
    ("request_", "messages"),
    [
        (LogRequest(level="warning"), ["m1", "m3"]),
        (LogRequest(job="acme/2"), ["m2"]),
        (LogRequest(count=2), ["m3", "m4"]),
        (LogRequest(count=0), []),
        (LogRequest(count=100), ["m0", "m1", "m2", "m3", "m4"]),
    ],
)
async def test_only_the_lines_that_are_wanted_are_sent(request_: LogRequest, messages: list[str]) -> None:
    assert [line["message"] for line in (await told(filled(5), request_))[1:]] == messages


async def test_older_lines_are_left_out() -> None:
    lines = filled()
    at = lines.after(0)[0].at
    assert len(await told(lines, LogRequest(since_seconds=10), at + 5)) == 4
    assert len(await told(lines, LogRequest(since_seconds=10), at + 1000)) == 1


async def test_new_lines_follow_and_silence_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_stream, "LOOK_SECONDS", 0.001)
    lines = filled(1)
    async with asyncio.timeout(60):
        parts = log_lines(lines, LogRequest(follow=True, level="warning"))
        await anext(parts)
        assert await anext(parts) == b"\n"  # no line is wanted yet
        lines.add(logging.INFO, '{"message":"not wanted"}')
        lines.add(logging.WARNING, '{"message":"wanted"}')
        part = await anext(parts)
        while part == b"\n":
            part = await anext(parts)
        assert part == b'{"message":"wanted"}\n'
        await parts.aclose()


async def test_lines_that_came_too_fast_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_stream, "LOOK_SECONDS", 0.001)
    lines = filled(1, most_lines=2)
    async with asyncio.timeout(60):
        parts = log_lines(lines, LogRequest(follow=True, count=0))
        await anext(parts)
        for number in range(5):
            lines.add(logging.INFO, f'{{"message":"n{number}"}}')
        first, *rest = [json.loads(line) for line in (await anext(parts)).splitlines()]
        assert first["message"] == "3 log lines are left out here: they came too fast"
        assert [line["message"] for line in rest] == ["n3", "n4"]
        await parts.aclose()
