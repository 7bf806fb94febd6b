"""Calls go to the shard of the tenant, each shard once."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from pageworker_supervisor.queue.errors import SchemaMismatch
from pageworker_supervisor.queue.functions import FunctionCalls
from pageworker_supervisor.queue.messagepack import unpacked
from pageworker_supervisor.queue.shards import Shards, batches
from pageworker_supervisor.redis_client.errors import RedisRefused
from pageworker_supervisor.redis_client.sharding import shard_of


class RecordingFunctions:
    """Keeps each call; fails with `error` where one is set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.error = error

    async def call(self, function: str, root: str, request: bytes) -> int:
        if self.error is not None:
            raise self.error
        self.calls.append((function, root, unpacked([request])))
        return 1


def shards(count: int, functions: RecordingFunctions) -> Shards:
    return Shards(cast("FunctionCalls", functions), "pw", count)


async def test_a_request_is_sent_by_name_to_the_root_of_the_shard() -> None:
    functions = RecordingFunctions()
    assert await shards(2, functions).call(1, "register_worker", worker="w1") == 1
    assert functions.calls == [("register_worker", "pw:{1}", {"worker": "w1"})]


@pytest.mark.parametrize("count", [1, 4])
async def test_tenants_are_grouped_by_shard_and_none_is_lost(count: int) -> None:
    tenants = [f"t{number}" for number in range(20)]
    seen: dict[int, list[int]] = {}

    async def act(shard: int, indices: Sequence[int]) -> None:
        assert shard not in seen
        seen[shard] = list(indices)

    await shards(count, RecordingFunctions()).by_tenant(tenants, act)
    assert sorted(index for indices in seen.values() for index in indices) == list(range(20))
    assert all(shard_of(tenants[index], count) == shard for shard, indices in seen.items() for index in indices)


async def test_another_schema_has_an_error_of_its_own_and_other_refusals_do_not() -> None:
    with pytest.raises(SchemaMismatch, match="schema version 9"):
        await shards(1, RecordingFunctions(RedisRefused("ResponseError: SCHEMA 9"))).call(0, "claim")
    with pytest.raises(RedisRefused, match="ILLEGAL"):
        await shards(1, RecordingFunctions(RedisRefused("ResponseError: ILLEGALTRANSITION event"))).call(0, "claim")


def test_batches_hold_all_in_order() -> None:
    assert [list(batch) for batch in batches(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches([], 3)) == []
