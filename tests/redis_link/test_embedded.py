"""The daemon's own Redis: kept data, taken ports, killed daemons."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from pw_servers.waiting import until

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_link import EmbeddedRedis, embedded, open_link
from pageworker_supervisor.redis_link.errors import EmbeddedUnfit

ANY = RedisSettings(port=0)

DAEMON = """
import asyncio, sys
from pathlib import Path
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_link import open_link

async def main():
    async with open_link(RedisSettings(port=0), Path(sys.argv[1])) as link:
        for i in range(1000):
            await link.send("RPUSH", "k", i, key="k")
        print(link._embedded.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_data_outlives_the_daemon(tmp_path: Path) -> None:
    async with open_link(ANY, tmp_path) as link:
        await link.send("SET", "k", "v", key="k")
        assert (await link.commands.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        assert (await link.commands.config_get("appendfsync"))["appendfsync"] == "always"
    async with open_link(ANY, tmp_path) as link:
        assert await link.send("GET", "k", key="k") == b"v"


async def test_clients_find_the_port_in_a_file(tmp_path: Path) -> None:
    port_file = tmp_path / "redis" / "port"
    async with EmbeddedRedis(tmp_path, 0) as server:
        assert port_file.read_text() == f"{server.port}\n"
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            assert client.getpeername() == ("127.0.0.1", server.port)
    assert not port_file.exists()


async def test_a_taken_port_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        with pytest.raises(EmbeddedUnfit, match=rf"port {port} .*redis\.port"):
            async with EmbeddedRedis(tmp_path, port):
                pass


async def test_one_daemon_a_folder(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path, 0) as first:
        with pytest.raises(EmbeddedUnfit, match=r"another pageworker uses .*worker\.data_dir"):
            async with EmbeddedRedis(tmp_path, 0):
                pass
        assert first.pid is not None
        assert (tmp_path / "redis" / "port").read_text() == f"{first.port}\n"
    async with EmbeddedRedis(tmp_path, 0):
        pass


async def test_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "PLACES", ())
    with pytest.raises(EmbeddedUnfit, match=r"no redis-server .* apt install"):
        async with EmbeddedRedis(tmp_path, 0):
            pass


async def test_an_old_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'Redis server v=6.2.16 sha=00000000:0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedUnfit, match="too old: Redis server v=6"):
        async with EmbeddedRedis(tmp_path, 0):
            pass


async def test_a_server_that_died_is_started_again(tmp_path: Path) -> None:
    async with open_link(ANY, tmp_path) as link, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(link.availability.run())
        await link.send("SET", "k", "v", key="k")
        address = link.safe_url
        pid = (await link.commands.info("server"))["process_id"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", "it is dead")
        assert await link.availability.insist(lambda: link.send("GET", "k", key="k")) == b"v"
        assert link.safe_url == address
        watching.cancel()


@contextmanager
def daemon(data_dir: Path) -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """A daemon in a process of its own that has written a thousand elements, and its Redis."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(data_dir)], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        yield process, psutil.Process(int(process.stdout.readline()))


def has_ended(server: psutil.Process) -> bool:
    return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


async def length(data_dir: Path) -> int:
    async with open_link(ANY, data_dir) as link:
        return int(await link.send("LLEN", "k", key="k"))


def test_it_ends_with_a_killed_daemon_and_loses_nothing(tmp_path: Path) -> None:
    with daemon(tmp_path) as (process, server):
        assert not has_ended(server)
        process.kill()
        until(lambda: has_ended(server), "its Redis ends", 2.0)
    assert asyncio.run(length(tmp_path)) == 1000


def test_a_redis_that_outlives_its_daemon_keeps_others_from_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with daemon(tmp_path) as (process, server):
        server.suspend()
        process.kill()
        process.wait()
        with monkeypatch.context() as impatient, pytest.raises(EmbeddedUnfit, match="still runs"):
            impatient.setattr(embedded, "HANDOVER_SECONDS", 0.2)
            asyncio.run(length(tmp_path))
        server.resume()
        assert asyncio.run(length(tmp_path)) == 1000
        assert has_ended(server)


def test_it_does_not_start_for_a_daemon_that_is_gone(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    command = [sys.executable, "-I", "-S", str(embedded.TETHER), "1", "/usr/bin/touch", str(marker)]
    tried = subprocess.run(command, capture_output=True, check=False)
    assert tried.returncode != 0
    assert b"the parent is gone" in tried.stderr
    assert not marker.exists()
