"""`workerctl top` with a real worker on a real Redis."""

import asyncio
import json
from pathlib import Path

import pytest
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap
from rich.text import Text
from textual.widgets import DataTable, Static

from pageworker_demo.toml import toml_text
from pageworker_supervisor.cli import app
from pageworker_supervisor.cli.output import CommandExit
from pageworker_supervisor.cli.top_app import TopApp
from pageworker_supervisor.cli.top_frame import TopFrame
from pageworker_supervisor.cli.top_reader import TopReader
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.errors import ConnectionLost

PATIENCE_SECONDS = 20.0


def reader(worker: Echoes) -> TopReader:
    return TopReader(worker.queue, Router(worker.client, worker.client), "pw")


async def reported(worker: Echoes) -> None:
    async with asyncio.timeout(30):
        while not await worker.client.hlen("pw:{0}:worker_reports"):
            await worker.turn()


def column(shown: TopApp, name: str, at: int = 0) -> list[str]:
    table = shown.query_one(f"#{name}", DataTable)
    return [str(table.get_row_at(row)[at]) for row in range(table.row_count)]


async def test_the_screen_shows_the_fleet_and_its_keys_work(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="w1") as worker:
        await reported(worker)
        await worker.push(
            nap("bad", 1, do="fail", times=9, fields={"max_retries": 0}), *(nap(f"j{n}", 60_000) for n in range(4))
        )
        await worker.answered(1, 30)
        shown = TopApp(reader(worker).frame, read_seconds=PATIENCE_SECONDS)
        async with shown.run_test(size=(160, 50)) as pilot:
            assert column(shown, "workers") == ["w1"]
            texts = shown.query_one("#failures", DataTable).get_row_at(0)
            assert all(isinstance(value, Text) for value in texts), "a plain text would be read as markup"
            assert column(shown, "tenants") == ["acme"]
            assert column(shown, "failures", 1) == ["acme/bad"]
            assert "1 workers: 1 ready" in str(shown.query_one("#head", Static).content)
            assert str(shown.query_one("#trouble", Static).content) == ""
            await pilot.press("n")
            await pilot.press("j")
            assert column(shown, "workers") == ["w1"]
            await pilot.press("q")
        assert shown.return_code == 0


async def test_the_last_frame_stays_without_redis(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="w1") as worker:
        await reported(worker)
        source, away = reader(worker), False

        async def read() -> TopFrame:
            if away:
                raise ConnectionLost("[gone]")
            return await source.frame()

        shown = TopApp(read, read_seconds=PATIENCE_SECONDS)
        async with shown.run_test():
            away = True
            await shown.show_next()
            assert str(shown.query_one("#trouble", Static).content).startswith("Redis: [gone]")
            assert column(shown, "workers") == ["w1"]
            away = False
            await shown.show_next()
            assert str(shown.query_one("#trouble", Static).content) == ""


async def test_one_frame_as_text_and_as_json(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "operator.toml"
    file.write_text(toml_text({"redis": {"url": live_redis.url}, "worker": {"data_dir": str(tmp_path)}}))
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="w1") as worker:
        await reported(worker)
        words = ["top", "--once", "--sort", "name", "--config", str(file)]
        assert await asyncio.to_thread(app.run, words) == CommandExit.DONE
        assert "w1" in capsys.readouterr().out
        assert await asyncio.to_thread(app.run, ["top", "--json", "--config", str(file)]) == CommandExit.DONE
        assert json.loads(capsys.readouterr().out)["totals"]["ready"] == 1
