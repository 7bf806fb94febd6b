"""Which shard a tenant is on, and the names of the few keys that Python touches itself."""

import zlib


def shard_of(tenant_id: str, shards: int) -> int:
    """All of a tenant is on one shard, its jobs as well: what limits them is counted there."""
    return zlib.crc32(tenant_id.encode()) % shards


def root(prefix: str, shard: int) -> str:
    """The key that every function is called with. All keys of the shard begin with it and share its hash tag."""
    return f"{prefix}:{{{shard}}}"
