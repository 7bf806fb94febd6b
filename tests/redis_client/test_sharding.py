"""The shard of a tenant is stable, in range, and spread; a root has the shard's hash tag."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.redis_client.sharding import root, shard_of


@pytest.mark.parametrize(("tenant_id", "shard"), [("acme", 0), ("bolt", 1)])
def test_a_tenant_stays_on_its_shard_over_releases(tenant_id: str, shard: int) -> None:
    """Another hash would leave every waiting job on a shard where no worker looks for it."""
    assert shard_of(tenant_id, 2) == shard


@given(st.text(max_size=63), st.integers(1, 64))
def test_a_shard_is_in_range(tenant_id: str, shards: int) -> None:
    assert 0 <= shard_of(tenant_id, shards) < shards


def test_tenants_are_spread_over_all_shards() -> None:
    counts = Counter(shard_of(f"tenant-{number}", 8) for number in range(4000))
    assert len(counts) == 8
    assert max(counts.values()) < 2 * min(counts.values())


def test_a_root_has_the_hash_tag_of_its_shard() -> None:
    assert root("pw", 3) == "pw:{3}"
