"""The shard of a tenant, and the root key of a shard. Pure."""

import zlib


def shard_of(tenant_id: str, shards: int) -> int:
    """The shard of a tenant. It holds all jobs of the tenant, because its limits are counted there."""
    return zlib.crc32(tenant_id.encode()) % shards


def root(prefix: str, shard: int) -> str:
    """The key that every function is called with. All keys of the shard begin with it, and so share its hash tag."""
    return f"{prefix}:{{{shard}}}"
