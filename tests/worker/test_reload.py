"""A changed file of a running worker, which SIGHUP reads again."""

import asyncio
from pathlib import Path

import pytest
from pw_servers import RedisServer
from pw_worker import Echoes, change, echoes, nap

from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import LocalLayers, read_local
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue.limits_table import limits_table


def edited(worker: Echoes, folder: Path, old: str, new: str) -> LocalLayers:
    """The worker's file with this change."""
    text = worker.config.read_text()
    assert text.count(old) == 1, text
    file = folder / "pageworker.toml"
    file.write_text(text.replace(old, new))
    return read_local(file, {})


@pytest.mark.parametrize("central", ["redis", "off"])
async def test_hot_settings_count_at_once_and_others_wait(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path, central: str
) -> None:
    more = {"config": {"central": central}} if central == "off" else {}
    async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
        local = edited(worker, tmp_path, '"runners" = 1', '"runners" = 3\n"recycle_seconds" = 7')
        assert await worker.worker.reload(local) == ()
        assert (worker.settings.pool.runners, worker.settings.pool.recycle_seconds) == (3, 7)
        local = edited(worker, tmp_path, '"bind" = "127.0.0.1:0"', '"bind" = "127.0.0.1:9"')
        assert await worker.worker.reload(local) == ("http.bind",)
        assert worker.worker.status().config.waiting_for_restart == ("http.bind",)
        assert worker.settings.pool.runners == 1, "the file has one runner again"


async def test_limits_of_the_file_are_put_in_force(worker: Echoes, tmp_path: Path) -> None:
    await worker.worker.reload(edited(worker, tmp_path, '["pool"]', '["limits"."fleet"]\nconcurrency = 1\n\n["pool"]'))
    wanted = [limits_table(worker.settings).id]
    assert wanted != [limits_table(Settings()).id]
    async with asyncio.timeout(10):
        while await worker.queue.limits.ids() != wanted:
            await worker.turn()


async def test_a_mistake_changes_nothing(worker: Echoes, tmp_path: Path) -> None:
    local = edited(worker, tmp_path, '"runners" = 1', '"runners" = 2\n"pages_per_runner" = 2')
    with pytest.raises(ConfigInvalid, match="pages_per_runner"):
        await worker.worker.reload(local)
    assert worker.settings.pool.runners == 1
    await worker.push(nap("job", 1))
    await worker.answered(1)


async def test_a_file_is_checked_together_with_the_central_configuration(worker: Echoes, tmp_path: Path) -> None:
    await change(worker, {"jobs.retry_cap_seconds": 20})
    local = edited(worker, tmp_path, '["pool"]', '[jobs]\nretry_base_seconds = 30\n\n["pool"]')
    with pytest.raises(ConfigInvalid, match="retry_base_seconds"):
        await worker.worker.reload(local)
    await change(worker, {"jobs.retry_cap_seconds": 40})
    await worker.worker.reload(local)
    assert worker.worker.status().config.version == 2


async def test_the_central_configuration_still_overrides_the_file(worker: Echoes, tmp_path: Path) -> None:
    await change(worker, {"pool.runners": 2})
    await worker.worker.reload(edited(worker, tmp_path, '"runners" = 1', '"runners" = 4'))
    assert worker.settings.pool.runners == 2
