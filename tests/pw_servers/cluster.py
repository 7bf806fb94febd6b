"""A real Redis Cluster on loopback."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import redis

from pw_servers.ports import free_port
from pw_servers.standalone import RedisServer
from pw_servers.waiting import until

SLOTS = 16_384


class Cluster:
    """`nodes[i]` began as the primary of the ith range of slots, `replicas[i]` as its replica."""

    def __init__(self, nodes: list[RedisServer], replicas: list[RedisServer]) -> None:
        self.nodes = nodes
        self.replicas = replicas

    @property
    def url(self) -> str:
        """The URL as `redis.url` takes it."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def primaries(self) -> list[RedisServer]:
        """The servers that are primaries now: earlier tests may have made replicas take over."""
        return [node for node in [*self.nodes, *self.replicas] if _role(node) == "master"]

    def slot(self, key: str) -> int:
        """The slot of a key."""
        return int(self.nodes[0].command("CLUSTER", "KEYSLOT", key))

    def owner(self, slot: int) -> RedisServer:
        """The node that serves the slot, in the view of the first node that answers."""
        for asked in [*self.nodes, *self.replicas]:
            try:
                ranges = asked.command("CLUSTER", "SLOTS")
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
                continue
            for first, last, primary, *_ in ranges:
                if first <= slot <= last:
                    return self._by_port(primary[1])
        raise LookupError(f"no node serves slot {slot}")

    def failover(self, i: int, *, takeover: bool = False) -> None:
        """Make the ith replica primary of its range (again: the other way round), and wait for all to know."""
        new = self.replicas[i] if _role(self.replicas[i]) == "slave" else self.nodes[i]
        if not takeover:
            until(lambda: _link_up(new), "the replica is in step")
        asked = 0.0

        def done() -> bool:
            nonlocal asked
            # Other primaries do not vote again within two node timeouts; a request they refused has to be
            # made anew after the five seconds that it lives.
            if time.monotonic() > asked + 5.5:
                asked = time.monotonic()
                new.command("CLUSTER", "FAILOVER", *(["TAKEOVER"] if takeover else []))
            return _role(new) == "master"

        until(done, "the replica has taken over", 30)
        slot = SLOTS * i // len(self.nodes)
        until(lambda: self.owner(slot) is new, "the cluster knows the new primary")

    def migrate_slot(self, slot: int, to: int | RedisServer) -> None:
        """Move a slot with its keys, as redis-cli's resharding does, while clients go on."""
        target = self.nodes[to] if isinstance(to, int) else to
        source, target_id = self.start_migration(slot, target), _node_id(target)
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in [target, source, *self.nodes]:
            if _role(node) == "master":
                node.command("CLUSTER", "SETSLOT", slot, "NODE", target_id)

    def start_migration(self, slot: int, target: RedisServer) -> RedisServer:
        """Start to move the slot, and return its owner. From now on the owner answers ASK for keys that it does not
        have."""
        source = self.owner(slot)
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", _node_id(source))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", _node_id(target))
        return source

    def wait_ok(self) -> None:
        """Wait until every node reports that the cluster is complete."""
        until(
            lambda: all(_state_ok(node) for node in [*self.nodes, *self.replicas]),
            "the cluster is complete",
            40,
            0.02,
        )

    def _by_port(self, port: int) -> RedisServer:
        return next(node for node in [*self.nodes, *self.replicas] if node.port == port)


def _role(server: RedisServer) -> str:
    try:
        return str(server.command("ROLE")[0].decode())
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        return "away"


def _node_id(server: RedisServer) -> str:
    return str(server.command("CLUSTER", "MYID").decode())


def _state_ok(server: RedisServer) -> bool:
    return b"cluster_state:ok" in server.command("CLUSTER", "INFO")


@contextmanager
def cluster(
    primaries: int = 3, replicas: int = 0, *, node_timeout_ms: int = 1500, aof: bool = False
) -> Iterator[Cluster]:
    """`primaries` ranges of slots with `replicas` (0 or 1) replicas each, for the block; up in about 3 s."""
    home = Path(tempfile.mkdtemp(prefix="pw-cluster-"))
    persist = ["--appendonly", "yes", "--appendfsync", "always"] if aof else []
    try:
        with ExitStack() as stack:

            def start(name: str) -> RedisServer:
                folder = home / name
                folder.mkdir()
                server = RedisServer([*_options(node_timeout_ms), *persist], directory=folder)
                stack.callback(server.close)
                return server.start()

            nodes = [start(f"primary{i}") for i in range(primaries)]
            spares = [start(f"replica{i}") for i in range(primaries * replicas)]
            _form(nodes, spares)
            formed = Cluster(nodes, spares)
            formed.wait_ok()
            for spare in spares:
                until(partial(_link_up, spare), "a replica follows", 30, 0.02)
            yield formed
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def newcomer(formed: Cluster) -> Iterator[RedisServer]:
    """One more primary without slots, for the block. It must have none again at the end."""
    everyone = [*formed.nodes, *formed.replicas]
    with tempfile.TemporaryDirectory(prefix="pw-cluster-") as home, ExitStack() as stack:
        node = RedisServer(_options(1500), directory=Path(home))
        stack.callback(node.close)
        node.start()
        _meet(formed.nodes[0], [node])
        until(lambda: all(_knows(one, len(everyone) + 1) for one in [*everyone, node]), "nodes have met", 30, 0.02)
        until(lambda: _state_ok(node), "the new one knows whose the slots are", 30, 0.02)
        name = _node_id(node)
        formed.nodes.append(node)
        try:
            yield node
        finally:
            formed.nodes.remove(node)
            node.close()
            for one in everyone:
                one.command("CLUSTER", "FORGET", name)


def _options(node_timeout_ms: int) -> list[str]:
    return [
        *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
        *("--cluster-node-timeout", str(node_timeout_ms), "--cluster-replica-validity-factor", "0"),
        *("--cluster-allow-replica-migration", "no"),
    ]


def _form(nodes: list[RedisServer], spares: list[RedisServer]) -> None:
    for i, node in enumerate([*nodes, *spares]):
        node.command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
    for i, node in enumerate(nodes):
        first, end = SLOTS * i // len(nodes), SLOTS * (i + 1) // len(nodes)
        node.command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
    hub, everyone = nodes[0], [*nodes, *spares]
    _meet(hub, everyone[1:])
    until(lambda: all(_knows(node, len(everyone)) for node in everyone), "nodes have met", 30, 0.02)
    for i, spare in enumerate(spares):
        spare.command("CLUSTER", "REPLICATE", _node_id(nodes[i % len(nodes)]))


def _meet(hub: RedisServer, others: list[RedisServer]) -> None:
    for node in others:
        bus = node.command("CONFIG", "GET", "cluster-port")
        hub.command("CLUSTER", "MEET", "127.0.0.1", node.port, bus[b"cluster-port"])


def _knows(server: RedisServer, count: int) -> bool:
    nodes = server.command("CLUSTER", "NODES")
    return nodes.count(b"\n") == count and b"handshake" not in nodes and b"noaddr" not in nodes


def _link_up(server: RedisServer) -> bool:
    role = server.command("ROLE")
    return bool(role[0] == b"slave" and role[3] == b"connected")
