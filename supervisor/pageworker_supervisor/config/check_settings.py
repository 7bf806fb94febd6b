"""The section `[checks]`: what a failed self-check does."""

from pageworker_supervisor.config.section import Section
from pageworker_supervisor.config.self_checks import CheckMode


class CheckSettings(Section, frozen=True):
    """What a failed self-check does: `refuse` keeps the worker from starting, `warn` writes a log line, `off` skips the
    check. [operations.md](operations.md#self-checks) says which of them are repeated while the worker serves, and which
    cannot be off."""

    redis_version: CheckMode = "refuse"
    """Each primary is Redis 7.0 or later, which has Functions."""
    redis_topology: CheckMode = "refuse"
    """`redis.url` does not name one node of a Redis Cluster as if it were a server of its own."""
    redis_eviction: CheckMode = "refuse"
    """Redis deletes no keys to free memory: `maxmemory-policy` is `noeviction`, or there is no `maxmemory`. The Redis
    at `redis.ingress_url` too."""
    redis_persistence: CheckMode = "warn"
    """Redis keeps an append-only file and can write it. Without it a restart of Redis loses jobs. The Redis at
    `redis.ingress_url` too."""
    redis_fsync: CheckMode = "warn"
    """`appendfsync` is `always` or `everysec`. The user needs the right to `CONFIG GET`, which the shipped ACL does not
    give."""
    redis_role: CheckMode = "warn"
    """Each server is a primary, and a Redis Cluster is complete. If not, a failover may still run: the worker waits."""
    redis_replicas: CheckMode = "warn"
    """A Redis that is built to survive the loss of a primary has a replica of each."""
    redis_clock: CheckMode = "warn"
    """The clocks of this host and of Redis are at most 5 s apart, and neither jumps. Leases use the clock of Redis,
    signed callbacks and logs that of the worker."""
    redis_rights: CheckMode = "warn"
    """The user may load and call functions and run scripts. If not, the worker waits until it may."""
    queue_schema: CheckMode = "warn"
    """The state of the queue has the schema version of this worker. If not, the worker waits: workers of the other
    release may still drain the queue."""
    trusted_keys: CheckMode = "warn"
    """`modules.trusted_keys` has a key. Without one the worker starts, but takes no jobs."""
    open_files: CheckMode = "warn"
    """The hard limit of open files is high enough for `pool.runners` and `pool.pages`."""
    data_dir_access: CheckMode = "warn"
    """No other user may write to the data folder."""
    data_dir_space: CheckMode = "warn"
    """The data folder has 2 GiB of free space."""
