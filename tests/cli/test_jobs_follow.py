"""`workerctl jobs follow` on a real queue."""

import asyncio
import json
import threading

import pytest
from cli.conftest import OnQueue
from pw_queue import JobEnd, QueueHarness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.cli import jobs_follow
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.output import CommandExit

GOOD = b'{"job_id":"j","tenant_id":"acme","status":"succeeded","worker_id":"w1","attempts":[{}]}'
BAD = b'{"job_id":"j","tenant_id":"acme","status":"failed","error":{"type":"timeout"}}'


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [(GOOD, 0, ["succeeded", "on", "w1"]), (BAD, 1, ["failed", "attempts", "0", "(timeout)"])],
)
def test_an_ended_job_has_one_line(
    on_queue: OnQueue,
    live_redis: RedisServer,
    text: bytes,
    code: int,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    live_redis.command("SET", "pw:result:acme:j", text)
    assert run(["jobs", "follow", "acme/j"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[1 : 1 + len(words)] == words


def test_each_state_is_printed_until_the_result(
    on_queue: OnQueue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next step is made when the command has printed the line of the last one."""
    printed = threading.Semaphore(0)

    def story() -> None:
        async def steps(harness: QueueHarness) -> None:
            await harness.producer.enqueue([ticket("j", delay_ms=3_600_000)])
            ready.set()
            await asyncio.to_thread(printed.acquire)
            await harness.inspection.cancel(ticket("j").ref)
            await asyncio.to_thread(printed.acquire)
            lease = await harness.one()
            await asyncio.to_thread(printed.acquire)
            assert await harness.consumer.finish(lease, **JobEnd(status="cancelled", result=BAD))

        on_queue(steps)

    monkeypatch.setattr(jobs_follow, "flush", printed.release)
    ready = threading.Event()
    thread = threading.Thread(target=story)
    thread.start()
    ready.wait()
    code = run(["jobs", "follow", "acme/j", "--timeout-seconds", "60", "--json"])
    thread.join()
    assert code == CommandExit.FAILED
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["state"], line["status"]) for line in lines] == [
        ("delayed", None),
        ("ending", None),
        ("finishing", None),
        ("ended", "failed"),
    ]
    assert lines[2]["worker_id"] == "w1"


def test_no_result_in_time_ends_with_5(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    async def fill(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("j")])

    on_queue(fill)
    assert run(["jobs", "follow", "acme/j", "--timeout-seconds", "0.3"]) == CommandExit.DEADLINE
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert "no result of acme/j within 0.3 s" in printed.err


def test_an_unknown_job_is_reported(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "follow", "acme/none"]) == CommandExit.FAILED
    assert "the queue does not know this job" in capsys.readouterr().err
