"""The deployments of Redis, and the faults of each. All calls block: `Faults` makes them in threads."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import redis
from pw_servers import Cluster, RedisServer, Sentinels, cluster, redis_server, sentinel
from pw_servers.waiting import until

from chaos.disk import SmallDisk, small_disk

Fault = Callable[[random.Random], None]
WORKER, FIRST_PASSWORD = "worker", "first"
NODE_TIMEOUT_MS = 2000


class Deployment(Protocol):
    """One deployment of Redis."""

    name: str
    url: str
    worker_settings: dict[str, str]
    """Settings of the section `redis` with which workers connect."""
    nodes: list[RedisServer]
    shards: int
    replicas: int

    def faults(self) -> dict[str, Fault]:
        """The faults by name. Each returns when the deployment is healthy again."""

    def primaries(self) -> list[RedisServer]:
        """The servers that take writes now."""

    def primary_of(self, key: str) -> RedisServer:
        """The server that holds this key."""


def _pause(server: RedisServer, rng: random.Random, most: float) -> None:
    server.pause()
    _wait(rng.uniform(0.3, most))
    server.resume()


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _restart(server: RedisServer, rng: random.Random) -> None:
    if rng.random() < 0.5:
        server.kill()
        server.start()
    else:
        server.restart()


def _squeeze(servers: list[RedisServer], rng: random.Random) -> None:
    """Set maxmemory below what is in use. Commands that free memory must still work."""
    for server in servers:
        server.command("CONFIG", "SET", "maxmemory", "1mb", "maxmemory-policy", "noeviction")
    _wait(rng.uniform(0.3, 2))
    for server in servers:
        server.command("CONFIG", "SET", "maxmemory", "0")


def _forget_functions(servers: list[RedisServer]) -> None:
    for server in servers:
        server.command("FUNCTION", "FLUSH", "SYNC")


class StandaloneDeployment:
    """One server with AOF."""

    name, shards, replicas = "standalone", 1, 0

    def __init__(self, server: RedisServer, disk: SmallDisk | None) -> None:
        """`disk`: the disk that holds the server's folder."""
        self.url = server.url
        self.nodes = [server]
        self._disk = disk
        self._password_file = server.directory.with_name(f"{server.directory.name}.password")
        self._password_file.write_text(FIRST_PASSWORD)
        self.worker_settings = {
            "url": server.url.replace("//", f"//{WORKER}@"),
            "password_file": str(self._password_file),
        }

    def faults(self) -> dict[str, Fault]:
        """The faults of a single server."""
        (server,) = self.nodes
        return {
            "redis restart": partial(_restart, server),
            "redis stopped": lambda rng: _pause(server, rng, 6.0),
            "maxmemory": partial(_squeeze, self.nodes),
            "functions gone": lambda rng: _forget_functions(self.nodes),
            "password rotated": self._rotate,
            "right withdrawn": self._withdraw,
            **({} if self._disk is None else {"data folder full": self._fill}),
        }

    def _rotate(self, rng: random.Random) -> None:
        """Change the password in Redis first, and later in the file that workers read."""
        (server,) = self.nodes
        password = f"{rng.randrange(10**9)}"
        server.command("ACL", "SETUSER", WORKER, "resetpass", f">{password}")
        server.command("ACL", "SAVE")
        if rng.random() < 0.7:
            server.command("CLIENT", "KILL", "USER", WORKER)
        _wait(rng.uniform(0.3, 3))
        self._password_file.write_text(password)

    def _withdraw(self, rng: random.Random) -> None:
        """Take away the right to a command that a worker sends, or to a category that functions look at first."""
        (server,) = self.nodes
        right = rng.choice(
            ("fcall", "eval", "blmpop", "blmove", "xreadgroup", "@all", "@sortedset", "@hash", "@stream", "@pubsub")
        )
        server.command("ACL", "SETUSER", WORKER, f"-{right}")
        _wait(rng.uniform(0.3, 3))
        server.command("ACL", "SETUSER", WORKER, "+@all")

    def _fill(self, rng: random.Random) -> None:
        """Fill the disk: Redis ends at its first write. It is started again when there is space."""
        (server,) = self.nodes
        assert self._disk is not None
        with self._disk.full():
            _wait(rng.uniform(0.5, 3))
        try:
            server.command("PING")
        except redis.ConnectionError:
            # It has ended, or is about to: it closes its port first.
            server.restart()

    def primaries(self) -> list[RedisServer]:
        """The one server."""
        return self.nodes

    def primary_of(self, key: str) -> RedisServer:
        """The one server."""
        return self.nodes[0]


class SentinelDeployment:
    """A primary and a replica under three Sentinels."""

    name, shards, replicas = "sentinel", 1, 1

    def __init__(self, group: Sentinels) -> None:
        self._group = group
        self.url = group.url
        self.worker_settings = {"url": self.url}
        self.nodes = group.nodes

    def faults(self) -> dict[str, Fault]:
        """Failovers that are asked for, and failures of the nodes."""
        return {
            "sentinel failover": lambda rng: self._whole(self._group.failover),
            "primary killed": lambda rng: self._whole(self._kill),
            "primary restart": lambda rng: self._whole(lambda: _restart(self._group.primary, rng)),
            "primary stopped": lambda rng: self._whole(lambda: _pause(self._group.primary, rng, 4.0)),
            "replica stopped": lambda rng: self._whole(lambda: _pause(self._group.replica, rng, 3.0)),
            "maxmemory": lambda rng: _squeeze(self.primaries(), rng),
        }

    def _kill(self) -> None:
        old = self._group.kill_primary()
        self._group.wait_moved_from(old)
        old.start()

    def _whole(self, fault: Callable[[], object]) -> None:
        """Run the fault, then wait until it is over and the replica is in step: one replica survives one fault."""
        fault()
        until(self._in_step, "the replica follows", 60, 0.05)

    def _in_step(self) -> bool:
        try:
            if not self._group.is_settled():
                return False
            primary, replica = self._group.primary, self._group.replica
            return bool(
                primary.command("ROLE")[0] == b"master"
                and replica.command("ROLE")[:4:3] == [b"slave", b"connected"]
                and primary.command("WAIT", 1, 100) >= 1
            )
        except (redis.exceptions.RedisError, OSError):
            return False

    def primaries(self) -> list[RedisServer]:
        """The one primary."""
        return [self._group.primary]

    def primary_of(self, key: str) -> RedisServer:
        """The primary, for every key."""
        return self._group.primary


class ClusterDeployment:
    """Three ranges of slots, each with a replica; three shards."""

    name, shards, replicas = "cluster", 3, 1

    def __init__(self, formed: Cluster) -> None:
        self._cluster = formed
        self.url = formed.url
        self.worker_settings = {"url": self.url}
        self.nodes = [*formed.nodes, *formed.replicas]

    def faults(self) -> dict[str, Fault]:
        """Failovers, slot migrations, failing nodes."""
        ranges = len(self._cluster.nodes)
        return {
            "cluster failover": lambda rng: self._whole(lambda: self._cluster.failover(rng.randrange(ranges))),
            "slot migration": lambda rng: self._whole(lambda: self._migrate(rng)),
            "node restart": lambda rng: self._whole(lambda: _restart(rng.choice(self.nodes), rng)),
            "node stopped": lambda rng: self._whole(lambda: _pause(rng.choice(self.nodes), rng, 4.0)),
            "functions gone": lambda rng: _forget_functions(self.primaries()),
            "maxmemory": lambda rng: _squeeze(self.primaries(), rng),
        }

    def _migrate(self, rng: random.Random) -> None:
        slot = self._cluster.slot(rng.choice([*(f"pw:{{{shard}}}" for shard in range(self.shards)), "pw:inbox"]))
        owner = self._cluster.owner(slot)
        target = rng.choice([node for node in self.primaries() if node is not owner])
        for _ in range(20):
            try:
                self._cluster.migrate_slot(slot, target)
            except (redis.exceptions.RedisError, OSError):
                continue  # a busy source refuses or is slow: try again, as redis-cli --cluster fix does
            return
        raise TimeoutError(f"slot {slot} does not move")

    def _whole(self, fault: Callable[[], object]) -> None:
        fault()
        until(self._is_whole, "the cluster is whole", 90, 0.05)

    def _is_whole(self) -> bool:
        try:
            states = [node.command("CLUSTER", "INFO") for node in self.nodes]
            roles = [node.command("ROLE") for node in self.nodes]
        except (redis.exceptions.RedisError, OSError):
            return False
        followers = [role for role in roles if role[0] == b"slave"]
        return (
            all(b"cluster_state:ok" in state for state in states)
            and len(followers) * 2 == len(roles)
            and all(role[3] == b"connected" for role in followers)
        )

    def primaries(self) -> list[RedisServer]:
        """The nodes that report the role of a primary."""
        found = []
        for node in self.nodes:
            with suppress(redis.exceptions.RedisError, OSError):
                if node.command("ROLE")[0] == b"master":
                    found.append(node)
        return found

    def primary_of(self, key: str) -> RedisServer:
        """The owner of the key's slot, as the first node that answers reports it."""
        return self._cluster.owner(self._cluster.slot(key))


@contextmanager
def server_with_users(disk: SmallDisk | None) -> Iterator[RedisServer]:
    """A server with a user for the workers. The default user is the test's own: no fault locks it out."""
    with TemporaryDirectory(prefix="pw-chaos-redis-", ignore_cleanup_errors=True) as temporary:
        users = Path(temporary) / "users.acl"
        rights = "~* &* +@all"
        users.write_text(f"user default on nopass {rights}\nuser {WORKER} on >{FIRST_PASSWORD} {rights}\n")
        folder = (disk.folder if disk else Path(temporary)) / "redis"
        folder.mkdir()
        with redis_server(aof=True, acl_file=users, directory=folder) as server:
            yield server


@contextmanager
def open_deployment(name: str) -> Iterator[Deployment]:
    """The deployment of that name. It exists until the block ends."""
    match name:
        case "standalone":
            with small_disk() as disk, server_with_users(disk) as server:
                yield StandaloneDeployment(server, disk)
        case "sentinel":
            with sentinel(aof=True) as group:
                yield SentinelDeployment(group)
        case "cluster":
            with cluster(primaries=3, replicas=1, node_timeout_ms=NODE_TIMEOUT_MS, aof=True) as formed:
                yield ClusterDeployment(formed)
        case _:
            raise ValueError(f"no deployment named {name!r}")
