"""The embedded Redis: kept data, taken ports, killed daemons."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from pw_servers import redis_server
from pw_servers.waiting import until
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import EmbeddedRedis, embedded, open_redis_client
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit, RedisUnavailable

pytestmark = pytest.mark.redis

ANY = RedisSettings(port=0)

DAEMON = """
import asyncio, sys
from pathlib import Path
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import open_redis_client

async def main():
    async with open_redis_client(RedisSettings(port=0), Path(sys.argv[1])) as redis_client:
        for i in range(1000):
            await redis_client.send("RPUSH", "pw:k", i, key="pw:k")
        print(redis_client._embedded.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_data_outlives_the_daemon(tmp_path: Path) -> None:
    async with open_redis_client(ANY, tmp_path) as redis_client:
        await redis_client.send("SET", "pw:k", "v", key="pw:k")
        (info,) = await redis_client.send_to_primaries("INFO", "everything")
        assert (info["maxmemory_policy"], info["aof_enabled"]) == ("noeviction", 1)
    async with open_redis_client(ANY, tmp_path) as redis_client:
        assert await redis_client.send("GET", "pw:k", key="pw:k") == b"v"


async def test_what_functions_wrote_outlives_the_daemon(tmp_path: Path) -> None:
    """The append-only file holds it as a transaction, which Redis loads as its default user."""
    script = "redis.call('SET', KEYS[1], 1) redis.call('RPUSH', KEYS[2], 1, 2)"
    async with open_redis_client(ANY, tmp_path) as redis_client:
        await redis_client.send("EVAL", script, 2, "pw:k", "pw:l", key="pw:k")
    async with open_redis_client(ANY, tmp_path) as redis_client:
        assert await redis_client.send("GET", "pw:k", key="pw:k") == b"1"
        assert await redis_client.send("LLEN", "pw:l", key="pw:l") == 2
    assert "CRITICAL" not in (tmp_path / "redis" / "redis.log").read_text()


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


async def test_one_daemon_per_folder(tmp_path: Path) -> None:
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
    monkeypatch.setattr(embedded, "DIRECTORIES", ())
    with pytest.raises(EmbeddedUnfit, match=r"no redis-server .* `apt install"):
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
    async with open_redis_client(ANY, tmp_path) as redis_client, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(redis_client.availability.run())
        await redis_client.send("SET", "pw:k", "v", key="pw:k")
        address = redis_client.safe_url
        pid = (await redis_client.commands.info("server"))["process_id"]
        server = psutil.Process(pid)
        server.kill()
        until(lambda: has_ended(server), "the server has ended")
        assert (
            await redis_client.availability.retry_until_available(lambda: redis_client.send("GET", "pw:k", key="pw:k"))
            == b"v"
        )
        assert redis_client.safe_url == address
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
    """It may be reaped between any two questions."""
    try:
        return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def length(data_dir: Path) -> int:
    async with open_redis_client(ANY, data_dir) as redis_client:
        return int(await redis_client.send("LLEN", "pw:k", key="pw:k"))


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


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


async def test_it_has_no_privileges(tmp_path: Path) -> None:
    """No capability, no way to gain one, and no core file, which would hold passwords."""
    async with EmbeddedRedis(tmp_path, 0) as server:
        assert server.pid is not None
        status = status_of(server.pid)
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
        assert psutil.Process(server.pid).environ().keys() <= {"PATH", "LANG"}
        assert "Max core file size        0                    0" in Path(f"/proc/{server.pid}/limits").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it a user of its own")
async def test_it_has_a_user_of_its_own(tmp_path: Path) -> None:
    user = 300_007
    async with EmbeddedRedis(tmp_path, 0, user=user) as server:
        assert server.pid is not None
        status = status_of(server.pid)
        assert status["Uid"].split() == status["Gid"].split() == [str(user)] * 4
        assert status["Groups"].strip() == ""
        assert status["CapBnd"] == "0" * 16
        made = [tmp_path / "redis" / "data", *(tmp_path / "redis" / "data").rglob("*")]
        assert {(path.stat().st_uid, path.stat().st_mode & 0o077) for path in made} == {(user, 0)}
        own = [tmp_path / "redis", *(tmp_path / "redis").glob("*.*"), tmp_path / "redis" / "port"]
        assert {(path.stat().st_uid, path.stat().st_mode & 0o077) for path in own} == {(0, 0)}
        assert (tmp_path / "redis" / "data" / "redis.sock").is_socket()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it a user of its own")
async def test_data_outlives_a_change_of_its_user(tmp_path: Path) -> None:
    for user in (300_007, 300_008, None):
        async with EmbeddedRedis(tmp_path, 0, user=user) as server, client_of(server) as client:
            await client.rpush("pw:k", 1)
    async with EmbeddedRedis(tmp_path, 0, user=300_009) as server, client_of(server) as client:
        assert await client.llen("pw:k") == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it a user of its own")
async def test_what_a_redis_that_was_taken_over_leaves_behind_leads_nowhere(tmp_path: Path) -> None:
    """Its user may write in its folder. The daemon must not change the owner of files that links there lead to."""
    victim = tmp_path / "victim"
    victim.write_text("not for Redis")
    async with EmbeddedRedis(tmp_path, 0, user=300_007):
        pass
    data = tmp_path / "redis" / "data"
    (data / "symbolic").symlink_to(victim)
    async with EmbeddedRedis(tmp_path, 0, user=300_008):
        assert victim.stat().st_uid == 0
    (data / "hard").hardlink_to(victim)
    with pytest.raises(EmbeddedUnfit, match=r"hard in .* has 2 hard links"):
        async with EmbeddedRedis(tmp_path, 0, user=300_008):
            pass
    assert victim.stat().st_uid == 0


@asynccontextmanager
async def client_of(server: EmbeddedRedis, user: str = "pageworker") -> AsyncIterator[Any]:
    """A client as others on this host: through the port, with a password."""
    password = server.folder.passwords()[user]
    async with aclosing(Redis(port=server.port, username=user, password=password, protocol=2)) as client:
        yield client


async def test_no_client_gets_in_without_a_password(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path, 0) as server, aclosing(Redis(port=server.port, protocol=2)) as client:
        with pytest.raises(AuthenticationError):
            await client.ping()


@pytest.mark.parametrize("user", ["pageworker", "n8n", "reader"])
async def test_no_user_may_call_what_would_open_it(user: str, tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path, 0) as server, client_of(server, user) as client:
        assert await client.ping()
        for words in (
            ("CONFIG", "GET", "*"),
            ("CONFIG", "SET", "requirepass", "x"),
            ("DEBUG", "SLEEP", 0),
            ("MODULE", "LIST"),
            ("SHUTDOWN", "NOSAVE"),
            ("ACL", "LIST"),
            ("REPLICAOF", "NO", "ONE"),
            ("MONITOR",),
            ("FLUSHALL",),
            ("PSYNC", "?", "-1"),
            ("SAVE",),
            ("KEYS", "*"),
            ("GET", "other"),
        ):
            with pytest.raises(ResponseError, match=r"no permissions|not allowed"):
                await client.execute_command(*words)


async def test_passwords_survive_restarts_and_what_a_full_disk_left(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path, 0) as server:
        first = server.folder.passwords()
        assert len(set(first.values())) == 3
    (tmp_path / "redis" / "reader.password").write_text("")
    async with EmbeddedRedis(tmp_path, 0) as server:
        second = server.folder.passwords()
        async with client_of(server, "reader") as client:
            assert await client.ping()
    assert {name for name in first if first[name] != second[name]} == {"reader"}


async def test_another_prefix_has_the_same_permissions(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path, 0, prefix="shop") as server, client_of(server) as client:
        await client.set("shop:k", 1)
        with pytest.raises(NoPermissionError):
            await client.set("pw:k", 1)
    async with EmbeddedRedis(tmp_path, 0, prefix="shop") as server, client_of(server, "n8n") as client:
        await client.rpush("shop:inbox", "{}")


async def turn_until(holds: Callable[[], bool]) -> None:
    """There is no event for it: only probes notice it."""
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def test_the_data_of_an_earlier_release_is_taken_over(tmp_path: Path) -> None:
    """That data is in `redis` itself, owned by the daemon, without users and passwords."""
    old = tmp_path / "redis"
    old.mkdir(mode=0o700)
    with redis_server(aof=True, directory=old) as before:
        before.command("SET", "pw:k", "v")
    user = 300_007 if os.geteuid() == 0 else None
    async with EmbeddedRedis(tmp_path, 0, user=user) as server, client_of(server) as client:
        assert await client.get("pw:k") == b"v"
    assert not (old / "appendonlydir").exists()


async def test_a_long_path_has_a_socket_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    async with open_redis_client(ANY, deep) as redis_client:
        await redis_client.send("SET", "pw:k", 1, key="pw:k")
    async with EmbeddedRedis(deep, 0) as server:
        assert len(os.fsencode(server.folder.data)) > 107


async def test_the_worker_does_not_send_its_password_to_a_process_that_takes_the_port(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path, 0) as server:
        port, pid = server.port, server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await turn_until(lambda: server.pid is None)
        heard: list[bytes] = []

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.read(1000))
            writer.close()

        async with await asyncio.start_server(hear, "127.0.0.1", port):
            with pytest.raises(EmbeddedUnfit, match=f"port {port}"):
                await server.revive()
        assert heard == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
async def test_a_full_disk_is_named_and_passes(small_disk: Path) -> None:
    async with open_redis_client(ANY, small_disk) as redis_client, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(redis_client.availability.run())
        filler = small_disk / "filler"
        with suppress(OSError):
            filler.write_bytes(bytes(64 * 1024 * 1024))
        stored = 0
        while redis_client.availability.up:
            try:
                await redis_client.send("RPUSH", "pw:k", "x" * 1000, key="pw:k")
                stored += 1
            except RedisUnavailable as away:
                redis_client.availability.down(str(away))
        async with asyncio.timeout(20):
            await turn_until(lambda: "the data folder is full" in redis_client.availability.trouble)
        filler.unlink()
        length = await redis_client.availability.retry_until_available(
            lambda: redis_client.send("LLEN", "pw:k", key="pw:k")
        )
        assert stored <= length <= stored + 1, "what was acknowledged is there"
        watching.cancel()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=711", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
