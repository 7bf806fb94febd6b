"""How many file descriptors the daemon may have open, and how many it needs."""

import resource

from pageworker_supervisor.config.settings import CallbackSettings, PoolSettings

MAX_DESCRIPTORS = 65_536
"""A higher limit has no use, and slows down programs that close every descriptor up to the limit."""
BASE = 192
"""Event loop, logs, locks, clients of Redis, the registry, and threads that work on files."""
PER_RUNNER = 32
"""Channel, pidfds, pipes, lock of its folder, listeners, and memfds in transit."""
PER_PAGE = 4
"""Artifacts of a job in transit, and its calls to Redis."""
PER_CALLBACK = 2
HTTP_CONNECTIONS = 4096
"""Connections of `http.bind` at most. admin/connection_limits.py evicts idle ones from an eighth of this on."""
MIN_HTTP_CONNECTIONS = 64


def raise_limit() -> int:
    """Raise the soft limit to the hard limit, at most to MAX_DESCRIPTORS. Returns the new soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ceiling = _bounded(hard)
    if current_limit() < ceiling:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
    return current_limit()


def current_limit() -> int:
    """The soft limit, at most MAX_DESCRIPTORS."""
    return _bounded(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def needed(pool: PoolSettings, callbacks: CallbackSettings) -> int:
    """Descriptors that a busy worker with these settings has open, without the connections of `http.bind`."""
    return (
        BASE + PER_RUNNER * pool.runners + PER_PAGE * pool.runners * pool.pages + PER_CALLBACK * callbacks.concurrency
    )


def http_connections(pool: PoolSettings, callbacks: CallbackSettings, limit: int) -> int:
    """Connections that `http.bind` may hold with this limit: those that jobs do not need."""
    return max(MIN_HTTP_CONNECTIONS, min(HTTP_CONNECTIONS, limit - needed(pool, callbacks)))


def suffices(pool: PoolSettings, callbacks: CallbackSettings, limit: int) -> bool:
    """Whether this limit is high enough for a busy worker."""
    return limit >= needed(pool, callbacks) + MIN_HTTP_CONNECTIONS


def _bounded(limit: int) -> int:
    return MAX_DESCRIPTORS if limit == resource.RLIM_INFINITY else min(MAX_DESCRIPTORS, limit)
