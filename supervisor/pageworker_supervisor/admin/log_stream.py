"""The worker's newest log lines over the control socket: those that are kept, and on request those that come."""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from pageworker_supervisor.telemetry.recent_lines import MOST_LINES, LineFilter, RecentLines

LogLevel = Literal["debug", "info", "warning", "error"]

LOOK_SECONDS = 0.25
"""Between two looks for new lines. They come by the hundred on a busy worker, so each look collects them."""
ALIVE_LOOKS = 2
"""If this many looks find no line, the worker sends an empty one. It shows the client that the worker lives."""
LINES_PER_TURN = 200
"""Of the event loop: jobs run beside."""


class LogRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /logs. `since_seconds`: how old a line may be. `count`: the most lines that are sent."""

    job: str | None = None
    level: LogLevel = "debug"
    since_seconds: Annotated[float, Meta(ge=0)] | None = None
    count: Annotated[int, Meta(ge=0, le=MOST_LINES)] = MOST_LINES
    follow: bool = False


class LogHead(Struct, frozen=True):
    """First line of the answer. `kept`: lines in memory. `dropped`: older lines since the start that are not. `oldest`:
    Unix seconds of the oldest kept line, None without one."""

    kept: int = 0
    dropped: int = 0
    oldest: float | None = None


async def log_lines(recent: RecentLines, request: LogRequest, now: float | None = None) -> AsyncGenerator[bytes, None]:
    """The answer, line by line."""
    wanted = LineFilter(
        level=getattr(logging, request.level.upper()),
        since=0.0 if request.since_seconds is None else (time.time() if now is None else now) - request.since_seconds,
        job=request.job,
    )
    kept = recent.after(0)
    yield msgspec.json.encode(LogHead(len(kept), recent.dropped, kept[0].at if kept else None)) + b"\n"
    chosen = [line for line in kept if wanted.holds(line)]
    newest = chosen[max(0, len(chosen) - request.count) :]
    for at in range(0, len(newest), LINES_PER_TURN):
        yield b"".join(line.text.encode() + b"\n" for line in newest[at : at + LINES_PER_TURN])
    last, idle = kept[-1].number if kept else 0, 0
    while request.follow:
        await asyncio.sleep(LOOK_SECONDS)
        new = recent.after(last)
        text = b"".join(line.text.encode() + b"\n" for line in new if wanted.holds(line))
        if new and new[0].number > last + 1:
            text = _left_out(new[0].number - last - 1, new[0].at) + text
        last = new[-1].number if new else last
        idle = 0 if text else idle + 1
        if text or idle >= ALIVE_LOOKS:
            idle = 0
            yield text or b"\n"


def _left_out(lines: int, at: float) -> bytes:
    """A line in place of those that newer ones pushed out between two looks."""
    instant = dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds")
    line = {"ts": instant, "level": "warning", "message": f"{lines} log lines are left out here: they came too fast"}
    return msgspec.json.encode(line) + b"\n"
