"""The listener as a process: the protocol on stdin and stdout, lines on stderr, events in a real Redis."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pw_servers import RedisServer
from redis import Redis

from pageworker_supervisor.supervisord.listener import listen
from pageworker_supervisor.supervisord.process_event import ProcessChange, UnreadableEvent

EVENT = "processname:{} groupname:{} from_state:RUNNING expected:{} pid:7"
ROUND = b"READY\nRESULT 2\nOK"


def exited(process: str, expected: int = 0) -> bytes:
    """An event with its header, as supervisord sends it."""
    event = EVENT.format(process, process, expected).encode()
    return b"ver:3.0 server:supervisor eventname:PROCESS_STATE_EXITED len:%d\n%s" % (len(event), event)


def run(events: bytes, *words: str, **variables: str) -> tuple[bytes, list[dict[str, Any]], int]:
    """What the listener answers, its lines and its exit code."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PAGEWORKER_")}
    own = {
        "SUPERVISOR_ENABLED": "1",
        "SUPERVISOR_PROCESS_NAME": "pageworker-l",
        "SUPERVISOR_GROUP_NAME": "pageworker-l",
    }
    command = [sys.executable, "-m", "pageworker_supervisor.supervisord.listener", *words]
    done = subprocess.run(
        command, input=events, capture_output=True, env={**mine, **own, **variables}, timeout=60, check=False
    )
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith(b"{")]
    return done.stdout, lines, done.returncode


def unexpected(change: ProcessChange) -> None:
    """In place of a report."""
    raise AssertionError(change)


def test_events_are_answered_one_by_one_and_reported() -> None:
    heard: list[ProcessChange] = []
    answers = io.BytesIO()
    tick = b"ver:3.0 eventname:TICK_5 len:4\nwhen"
    listen(io.BytesIO(exited("pageworker") + tick), answers, heard.append)
    assert [change.process for change in heard] == ["pageworker"]
    assert answers.getvalue() == ROUND * 2 + b"READY\n"


@pytest.mark.parametrize("end", [b"", b"ver:3.0 eventname:TICK_5 len:400\nwhen"])
def test_the_end_of_supervisord_is_the_end(end: bytes) -> None:
    answers = io.BytesIO()
    listen(io.BytesIO(end), answers, unexpected)
    assert answers.getvalue() == b"READY\n"


def test_the_end_of_supervisord_while_it_is_answered_is_the_end() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as answers:
        listen(io.BytesIO(exited("pageworker")), answers, unexpected)


def test_an_unreadable_header_is_an_error() -> None:
    with pytest.raises(UnreadableEvent):
        listen(io.BytesIO(b"garbage\n"), io.BytesIO(), unexpected)


def test_the_process_reports_workers_and_leaves_out_itself_and_others(tmp_path: Path) -> None:
    names = ("pageworker", "nginx", "pageworker-l")
    answers, lines, code = run(b"".join(map(exited, names)), PAGEWORKER_CONFIG=str(tmp_path / "none.toml"))
    assert (answers, code) == (ROUND * 3 + b"READY\n", 0)
    first, second = lines
    assert first["message"] == "process ended unexpectedly: supervisord starts it again"
    assert (first["level"], first["process"], first["state"], first["pid"]) == ("warning", "pageworker", "EXITED", 7)
    # The configuration cannot be read, so there is no Redis to publish in.
    assert second["message"] == "event not published"
    assert "none.toml" in second["reason"]


def test_another_program_can_be_named_and_the_logs_format_is_the_workers(tmp_path: Path) -> None:
    config = tmp_path / "pageworker.toml"
    config.write_text("[log]\nlevel = 'error'\n")
    answers, lines, _ = run(
        exited("browsers") + exited("browsers", expected=1), "--program", "browse*", "--config", str(config)
    )
    assert answers == ROUND * 2 + b"READY\n"
    assert [line["level"] for line in lines] == ["error"]


def test_garbage_ends_the_process_with_a_line() -> None:
    _, lines, code = run(b"garbage\n")
    assert (code, lines[-1]["level"]) == (1, "error")
    assert "garbage" in lines[-1]["reason"]


def test_it_is_not_started_by_hand() -> None:
    answers, lines, code = run(b"", SUPERVISOR_ENABLED="")
    assert (answers, lines, code) == (b"", [], 2)


def test_the_event_is_published(live_redis: RedisServer) -> None:
    with Redis.from_url(live_redis.url) as client, client.pubsub() as channel:
        channel.subscribe("pw:events:_fleet")
        assert channel.get_message(timeout=10)["type"] == "subscribe"
        _, lines, code = run(exited("pageworker", expected=1), PAGEWORKER_REDIS__URL=live_redis.url)
        message = channel.get_message(timeout=10)
    assert (code, [line["level"] for line in lines]) == (0, ["error"])
    event = json.loads(message["data"])
    assert (event["event"], event["detail"]["process"]) == ("process_state", "pageworker")
    assert event["detail"]["reason"] == lines[0]["message"]


def test_without_a_redis_the_line_is_there_and_the_listener_goes_on() -> None:
    # Port 1 of loopback: no process listens there.
    answers, lines, code = run(exited("pageworker") * 2, PAGEWORKER_REDIS__URL="redis://127.0.0.1:1/0")
    assert (answers, code) == (ROUND * 2 + b"READY\n", 0)
    assert [line["message"].partition(":")[0] for line in lines] == [
        "process ended unexpectedly",
        "event not published",
    ] * 2
