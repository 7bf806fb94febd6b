"""docs/backup.md does what it says: its commands, run as they stand there, on real servers."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import pytest
import redis
from pw_queue import everything, finish_all, open_harness, ref, ticket
from pw_servers import RedisServer, redis_server
from pw_servers.ports import free_port
from redis.backoff import NoBackoff
from redis.retry import Retry

from pageworker_profiles.locks import Lock
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import RedisClient, open_redis_client

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "backup.md").read_text()
COPY_AOF = ROOT / "deploy" / "backup" / "copy-aof.sh"
COPY_PROFILES = ROOT / "deploy" / "backup" / "copy-profiles.sh"
ANY = RedisSettings(port=0)

pytestmark = pytest.mark.redis


class Places:
    """The folders and the port that the commands use, in place of those that the document gives as examples."""

    def __init__(self, folder: Path) -> None:
        self.data, self.backup, self.redis = folder / "data", folder / "backup", folder / "redis"
        for made in (self.data, self.redis):
            made.mkdir()
        self.port = free_port()
        self.client: RedisClient
        """Of the embedded Redis, while it runs."""

    async def run(self, title: str) -> None:
        """Run the commands below a heading."""
        await asyncio.to_thread(run_shell, commands(title), self.variables())

    def variables(self) -> dict[str, str]:
        """By name, as the first block of the document has them."""
        return {"DATA": str(self.data), "BACKUP": str(self.backup), "REDIS": str(self.redis), "PORT": str(self.port)}

    @asynccontextmanager
    async def embedded(self) -> AsyncIterator[QueueClient]:
        """A queue on the embedded Redis of the data folder."""
        async with open_redis_client(ANY, self.data) as client:
            self.client = client
            queue = QueueClient(client, shards=1)
            await queue.load()
            yield queue


def commands(title: str) -> str:
    """The shell blocks below a heading, also those inside of a list."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    assert blocks, title
    return "".join(blocks)


def run_shell(script: str, variables: dict[str, str]) -> None:
    """Every command has to succeed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (script, done.stdout)


@contextmanager
def running(folder: Path) -> Iterator[RedisServer]:
    """A server that keeps append-only files in the folder."""
    server = RedisServer(["--appendonly", "yes"], directory=folder)
    try:
        yield server.start()
    finally:
        server.close()


async def remaining(queue: QueueClient) -> set[JobRef]:
    """Run everything that waits; the jobs. What Redis holds must be consistent before and after."""
    assert await queue.inspection.check_consistency() == []
    ran: set[JobRef] = set()
    while leases := (await queue.consumer.claim("w1", everything())).leases:
        assert not ran & {lease.ref for lease in leases}
        ran |= {lease.ref for lease in leases}
        assert await finish_all(queue.consumer, leases)
    assert await queue.inspection.check_consistency() == []
    return ran


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """Empty folders and a free port. A server that the commands leave running ends with the test."""
    made = Places(tmp_path)
    yield made
    with suppress(redis.ConnectionError), closing(redis.Redis(port=made.port, retry=Retry(NoBackoff(), 0))) as client:
        client.shutdown(nosave=True)


async def pushing(queue: QueueClient, names: Sequence[str]) -> None:
    """Queue jobs of these ids, each by a call of its own."""
    for name in names:
        assert await queue.producer.enqueue([ticket(name)]) == ["queued"]


def ids(letter: str, count: int = 40) -> list[str]:
    """Ids of jobs."""
    return [f"{letter}{number}" for number in range(count)]


async def test_the_embedded_redis_is_backed_up_while_it_works_and_restored(places: Places) -> None:
    async with places.embedded() as queue, asyncio.TaskGroup() as tasks:
        await pushing(queue, ids("before"))
        during = tasks.create_task(pushing(queue, ids("during")))
        await places.run("Back up the embedded Redis")
        await during
        await pushing(queue, ids("after"))
    await places.run("Restore the embedded Redis")
    async with places.embedded() as queue:
        ran = await remaining(queue)
    assert ran >= set(map(ref, ids("before")))
    assert not ran & set(map(ref, ids("after")))


async def test_a_redis_of_ones_own_is_backed_up_while_it_works_and_restored(places: Places) -> None:
    with redis_server(aof=True) as server:
        own = {**places.variables(), "PORT": str(server.port)}
        async with open_harness(server.port) as harness:
            await pushing(harness.queue, ids("before"))
            await asyncio.to_thread(run_shell, commands("Back up a Redis of yours"), own)
            await pushing(harness.queue, ids("after"))
    await places.run("Restore a Redis of yours")
    with running(places.redis) as restored:
        async with open_harness(restored.port) as harness:
            assert await remaining(harness.queue) == set(map(ref, ids("before")))


async def test_the_move_to_another_redis_keeps_every_waiting_job_and_text(places: Places) -> None:
    async with places.embedded() as queue:
        await places.client.send("RPUSH", "pw:inbox", "a text that no worker has read", key="pw:inbox")
        await pushing(queue, ids("waiting"))
        (lease,) = (await queue.consumer.claim("w1", everything(1))).leases
        await finish_all(queue.consumer, [lease])
    await places.run("Move from the embedded Redis to another")
    async with open_harness(places.port) as harness:
        assert await harness.client.lrange("pw:inbox", 0, -1) == [b"a text that no worker has read"]
        assert await harness.inspection.result(lease.ref) is not None
        assert await remaining(harness.queue) == set(map(ref, ids("waiting"))) - {lease.ref}


def test_a_copy_of_append_only_files_is_whole_although_redis_rewrites_them(tmp_path: Path) -> None:
    copies = [tmp_path / str(number) / "appendonlydir" for number in range(5)]
    with redis_server(aof=True) as server:
        for number, copied in enumerate(copies):
            server.command("SET", f"key{number}", "x" * 500_000)
            with suppress(redis.ResponseError):  # the last one still runs: that serves as well
                server.command("BGREWRITEAOF")
            copied.parent.mkdir()
            run_shell(f"{COPY_AOF} {server.directory}/appendonlydir {copied}", {})
    for number, copied in enumerate(copies):
        with running(copied.parent) as copy:
            assert copy.command("DBSIZE") == number + 1


def test_a_folder_without_append_only_files_is_not_copied(tmp_path: Path) -> None:
    done = subprocess.run([COPY_AOF, tmp_path, tmp_path / "to"], capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "to").exists()) == (1, False)
    assert "has no manifest" in done.stderr


def test_what_keeps_the_files_from_being_copied_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    source, target = tmp_path / "appendonlydir", tmp_path / "to"
    source.mkdir()
    (source / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (source / "appendonly.aof.1.incr.aof").write_bytes(bytes(8192))
    # A file may have 4 KiB, as on a full disk.
    command = f"trap '' XFSZ; ulimit -f 4; exec {COPY_AOF} {source} {target}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, list(tmp_path.glob("to*"))) == (1, [])
    assert "File too large" in done.stderr


@pytest.fixture
def profile(places: Places) -> Path:
    """The profile `main` of the tenant `acme`, as a worker leaves it."""
    made = places.data / "profiles" / "acme" / "main"
    (made / "data").mkdir(parents=True)
    (made / "data" / "Cookies").write_text("of the copy")
    (made / "lock").touch()
    (made / "fence").write_text("7")
    return made


async def test_a_profile_is_backed_up_and_restored_with_its_newest_fence(places: Places, profile: Path) -> None:
    backup, restore = commands("Profiles").split("PROFILE=")
    await asyncio.to_thread(run_shell, backup, places.variables())
    (profile / "data" / "Cookies").write_text("damaged since")
    (profile / "fence").write_text("9")
    owner = 261_501 if os.geteuid() == 0 else os.geteuid()
    os.chown(places.data, owner, owner)
    await asyncio.to_thread(run_shell, f"PROFILE={restore}", places.variables())
    restored = (places.data / "profiles", profile.parent, profile, profile / "data", profile / "data" / "Cookies")
    assert {path.stat().st_uid for path in restored} == {owner}, "it stays closed to a worker with a user of its own"
    assert (profile / "data" / "Cookies").read_text() == "of the copy"
    assert (profile / "fence").read_text() == "9"
    (replaced,) = places.backup.glob("replaced-*")
    assert (replaced / "Cookies").read_text() == "damaged since"


def test_a_profile_in_use_is_named_and_not_copied(places: Places, profile: Path) -> None:
    held = Lock.take(profile / "lock")
    assert held is not None
    command: list[str | Path] = [COPY_PROFILES, places.data / "profiles", places.backup, "0"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "in use or not readable: acme/main" in refused.stderr
    assert list(places.backup.rglob("*.tar*")) == []
    held.release()
    assert subprocess.run(command, check=False).returncode == 0
    assert [file.name for file in places.backup.rglob("*.tar*")] == ["main.tar"]
