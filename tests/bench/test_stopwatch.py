"""Only a contender that did all its work, and says so, has a rate."""

from pathlib import Path

import pytest
from bench import queue
from bench.fixtures import redis_server
from bench.peer_venv import PeersMissing, peer_python, versions
from bench.queue import PEERS, contenders, rows
from bench.queue_client import opened_queue, serve, ticket
from bench.run import WrongResult
from bench.stopwatch import Contender, jobs_per_second
from bench.work import PAYLOAD, RESULT, handled
from msgspec import json
from redis.asyncio import Redis

JOBS = 2_000


def test_the_work_has_the_size_that_is_said() -> None:
    assert 950 < len(json.encode(PAYLOAD)) < 1050
    assert 195 < len(json.encode(RESULT)) < 205
    assert handled(PAYLOAD) == RESULT


@pytest.mark.redis
@pytest.mark.parametrize("name", ["raw", "pageworker"])
async def test_ours_are_timed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await jobs_per_second(_contender(name, monkeypatch), JOBS) > 0


@pytest.mark.redis
async def test_jobs_that_are_not_queued_and_results_that_are_not_kept_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = _contender("raw", monkeypatch)

    async def none_left(_: Redis) -> int:
        return 0

    with pytest.raises(WrongResult, match="0 jobs are queued instead of 2000"):
        await jobs_per_second(Contender("x", raw.module, none_left, raw.results), JOBS)
    with pytest.raises(WrongResult, match="0 results of 2000 jobs"):
        await jobs_per_second(Contender("x", raw.module, raw.left, "elsewhere:*"), JOBS)


@pytest.mark.redis
async def test_jobs_are_served_to_the_last() -> None:
    with redis_server() as (url, _):
        async with opened_queue(url) as queue:
            await queue.producer.enqueue([ticket(f"job-{n}", "acme") for n in range(20)])
            assert await serve(queue, 20) > 0


def test_peers_are_pinned() -> None:
    assert set(PEERS) < set(versions())


def test_peers_that_cannot_be_installed_are_told_in_one_line(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("./nowhere==1\n")
    with pytest.raises(PeersMissing) as missing:
        peer_python(requirements, tmp_path / "venv")
    assert str(missing.value).startswith("the queue's peers cannot be installed: ERROR:")
    assert "\n" not in str(missing.value)
    assert not (tmp_path / "venv" / "installed").exists()


def test_without_peers_nothing_is_proved(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _without_peers(monkeypatch)

    async def rate(contender: Contender, _: int) -> float:
        return {"raw": 9000.0, "pageworker": 3000.0}[contender.name]

    monkeypatch.setattr(queue, "jobs_per_second", rate)
    ours, *others = list(rows())
    assert b'"ok":true' in ours.line()
    assert [row.name for row in others] == ["queue.jobs_per_second_vs_taskiq", "queue.jobs_per_second_vs_streaq"]
    assert all(b'"ok":false' in row.line() and b"not installed" in row.line() for row in others)
    assert "no such luck" in capsys.readouterr().err


def _contender(name: str, monkeypatch: pytest.MonkeyPatch) -> Contender:
    _without_peers(monkeypatch)
    (found,) = (contender for contender in contenders() if contender.name == name)
    return found


def _without_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise PeersMissing("no such luck")

    monkeypatch.setattr(queue, "peer_python", missing)
