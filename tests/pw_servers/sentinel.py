"""A primary, a replica and three sentinels, as operators run them, but with short intervals."""

import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis

from pw_servers.standalone import RedisServer
from pw_servers.waiting import until

SERVICE = "pageworker"


class Sentinels:
    """`nodes` are the data servers; which of them is primary changes with failovers."""

    def __init__(self, nodes: list[RedisServer], sentinels: list[RedisServer]) -> None:
        self.nodes = nodes
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        """The URL as `redis.url` takes it."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    @property
    def primary(self) -> RedisServer:
        """The primary, as the first sentinel sees it."""
        port = self._primary_port(self.sentinels[0])
        return next(node for node in self.nodes if node.port == port)

    @property
    def replica(self) -> RedisServer:
        """The replica."""
        primary = self.primary
        return next(node for node in self.nodes if node is not primary)

    def is_settled(self) -> bool:
        """Whether all sentinels name the same primary, none thinks that it is down, and none is about to replace it.

        A primary that answers again may still be replaced: a sentinel that has begun a failover ends it.
        """
        states = [_state(sentinel) for sentinel in self.sentinels]
        return len({state["port"] for state in states}) == 1 and all(state["flags"] == "master" for state in states)

    def failover(self) -> None:
        """Planned: ask a sentinel, and wait until all agree and the new primary takes writes."""
        old = self.primary
        asked = 0.0

        def moved() -> bool:
            nonlocal asked
            # On a busy host a promotion can miss its deadline and is called off; then it has to be asked for anew.
            if time.monotonic() > asked + 6:
                asked = time.monotonic()
                with contextlib.suppress(redis.exceptions.ResponseError):  # INPROG, NOGOODSLAVE: they pass
                    self.sentinels[0].command("SENTINEL", "FAILOVER", SERVICE)
            return all(self._primary_port(sentinel) != old.port for sentinel in self.sentinels)

        until(moved, "the sentinels agree on another primary", 40, 0.05)
        self.wait_moved_from(old)

    def kill_primary(self) -> RedisServer:
        """Unplanned: SIGKILL. Returns the dead server; `wait_moved_from()` it, then `start()` it again."""
        old = self.primary
        old.kill()
        return old

    def wait_moved_from(self, old: RedisServer) -> None:
        """Wait until every sentinel names another primary, and that one reports the same."""
        until(lambda: all(self._primary_port(s) != old.port for s in self.sentinels), "sentinels agree", 30)
        until(lambda: _role(self.primary) == "master", "the new primary is one", 30)

    def wait_replicating(self) -> None:
        """Wait until the replica is in step with the primary."""
        until(lambda: self.primary.command("WAIT", 1, 50) >= 1, "the replica follows", 30)

    @staticmethod
    def _primary_port(sentinel: RedisServer) -> int:
        return int(sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])


def _state(one: RedisServer) -> dict[str, Any]:
    """What a sentinel holds of the primary."""
    with one.client() as client:
        state: dict[str, Any] = client.sentinel_master(SERVICE)
    return state


def _role(server: RedisServer) -> str:
    try:
        return str(server.command("ROLE")[0].decode())
    except redis.exceptions.ConnectionError:
        return "away"


@contextmanager
def sentinel(nodes: int = 3, *, down_after_ms: int = 700, aof: bool = False) -> Iterator[Sentinels]:
    """`nodes` sentinels over one primary and one replica, for the block."""
    home = Path(tempfile.mkdtemp(prefix="pw-sentinel-"))
    persist = ["--appendonly", "yes", "--appendfsync", "always"] if aof else []
    try:
        with ExitStack() as stack:

            def start(name: str, options: list[str]) -> RedisServer:
                folder = home / name
                folder.mkdir()
                server = RedisServer(options, directory=folder)
                stack.callback(server.close)
                return server.start()

            primary = start("a", persist)
            replica = start("b", [*persist, "--replicaof", "127.0.0.1", str(primary.port)])
            sentinels = [_sentinel(home, stack, i, primary, replica, down_after_ms) for i in range(nodes)]
            group = Sentinels([primary, replica], sentinels)
            _introduce(group)
            group.wait_replicating()
            yield group
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _sentinel(
    home: Path, stack: ExitStack, index: int, primary: RedisServer, replica: RedisServer, down_after_ms: int
) -> RedisServer:
    folder = home / f"sentinel{index}"
    folder.mkdir()
    config = folder / "sentinel.conf"
    config.write_text(
        f"sentinel myid {secrets.token_hex(20)}\n"
        f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 2\n"
        f"sentinel down-after-milliseconds {SERVICE} {down_after_ms}\n"
        f"sentinel failover-timeout {SERVICE} 2500\n"
        f"sentinel known-replica {SERVICE} 127.0.0.1 {replica.port}\n"
    )
    server = SentinelProcess(config, directory=folder)
    stack.callback(server.close)
    return server.start()


class SentinelProcess(RedisServer):
    """A redis-server in sentinel mode: its options are in its file, which it rewrites."""

    def __init__(self, config: Path, *, directory: Path) -> None:
        super().__init__(directory=directory)
        self._config = config

    def _arguments(self) -> list[str]:
        return [str(self._config), "--sentinel", "--bind", "127.0.0.1", "--port", str(self.port)]


def _introduce(group: Sentinels) -> None:
    """Turn the sentinels' ten-second rounds into short ones, and wait until each knows the others."""
    for one in group.sentinels:
        # sentinel.c: a promotion not heard about within four publish periods is undone; a replica whose INFO
        # (asked for once a second while the primary is down) is older than five ping periods is not promoted.
        one.command("SENTINEL", "DEBUG", "INFO-PERIOD", 100, "PING-PERIOD", 300, "PUBLISH-PERIOD", 500)

    def acquainted(one: RedisServer) -> bool:
        state = _state(one)
        return bool(
            state["num-other-sentinels"] == len(group.sentinels) - 1
            and state["num-slaves"] == 1
            and not state["is_sdown"]
        )

    until(lambda: all(acquainted(one) for one in group.sentinels), "sentinels know each other", 30)
