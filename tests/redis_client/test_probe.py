"""The probe fails where a worker's calls would fail, and asks each primary once."""

from typing import Any

import pytest

from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.errors import (
    FunctionMissing,
    OutOfMemory,
    RedisClientError,
    RedisUnavailable,
    RightMissing,
)
from pageworker_supervisor.redis_client.probe import ServiceProbe


class ProbedRouter(Router):
    """`errors` by command name. Two primaries: keys that begin with `a`, and all others."""

    def __init__(self, errors: dict[str, RedisClientError] | None = None, *, is_cluster: bool = False) -> None:
        self.is_cluster = is_cluster
        self.errors: dict[str, RedisClientError] = {"FCALL": FunctionMissing("missing")} | (errors or {})
        self.sent: list[tuple[str, str]] = []

    async def send(self, *words: Any, key: str, blocks: bool = False) -> Any:
        self.sent.append((words[0], key))
        if words[0] in self.errors:
            raise self.errors[words[0]]

    async def send_to_primaries(self, *words: Any) -> list[Any]:
        self.sent.append((words[0], ""))
        return [True]

    async def primary_of(self, key: str) -> str:
        return "first" if key.startswith("a") or not self.is_cluster else "second"


async def test_a_standalone_server_is_asked_once() -> None:
    router = ProbedRouter()
    await ServiceProbe(router, ["a1", "b1"], functions=True).run()
    assert router.sent == [("EVAL", "a1"), ("FCALL", "a1")]


async def test_each_primary_of_a_cluster_is_asked_once() -> None:
    router = ProbedRouter(is_cluster=True)
    await ServiceProbe(router, ["a1", "a2", "b1", "b2"], functions=True).run()
    assert router.sent[0] == ("PING", "")
    assert sorted(key for command, key in router.sent if command == "EVAL") == ["a1", "b1"]


async def test_without_keys_it_is_a_ping() -> None:
    router = ProbedRouter()
    await ServiceProbe(router, [], functions=True).run()
    assert router.sent == [("PING", "")]


async def test_an_ingress_is_not_asked_for_functions() -> None:
    router = ProbedRouter()
    await ServiceProbe(router, ["a"], functions=False).run()
    assert router.sent == [("EVAL", "a")]


@pytest.mark.parametrize(
    ("command", "error"),
    [("EVAL", OutOfMemory("full")), ("FCALL", RightMissing("no", "x")), ("FCALL", RedisUnavailable("loading"))],
)
async def test_what_a_worker_would_be_refused_fails_the_probe(command: str, error: RedisClientError) -> None:
    with pytest.raises(type(error)):
        await ServiceProbe(ProbedRouter({command: error}), ["a"], functions=True).run()
