"""How many descriptors the daemon may have open, and how many it needs."""

import resource

from pageworker_supervisor.config.settings import Settings

MOST = 65_536
"""More is of no use, and costs programs that close all descriptors one by one their time."""
BASE = 192
"""The loop, logs, locks, Redis' clients, the registry, threads at work in files."""
PER_RUNNER = 32
"""Its channel, pidfds and pipes, its folder's lock, listeners and memfds on their way."""
PER_PAGE = 4
"""A job's artifacts on their way, and its calls to Redis."""
PER_CALLBACK = 2
HTTP_CONNECTIONS = 4096
"""Of `http.bind` at most: idle ones are cut from an eighth of it on."""
LEAST_HTTP_CONNECTIONS = 64


def raise_limit() -> int:
    """Raise the soft limit as far as the hard one allows, at most to MOST. Returns the soft limit then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ceiling = _bounded(hard)
    if current_limit() < ceiling:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
    return current_limit()


def current_limit() -> int:
    """The soft limit, at most MOST."""
    return _bounded(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def needed(settings: Settings) -> int:
    """What a busy worker of these settings has open, without the connections of `http.bind`."""
    pool = settings.pool
    return (
        BASE
        + PER_RUNNER * pool.runners
        + PER_PAGE * pool.runners * pool.pages
        + PER_CALLBACK * settings.callbacks.concurrency
    )


def http_connections(settings: Settings, limit: int) -> int:
    """How many connections `http.bind` may hold at a limit: jobs come first."""
    return max(LEAST_HTTP_CONNECTIONS, min(HTTP_CONNECTIONS, limit - needed(settings)))


def suffices(settings: Settings, limit: int) -> bool:
    """Whether a busy worker fits."""
    return limit >= needed(settings) + LEAST_HTTP_CONNECTIONS


def _bounded(limit: int) -> int:
    return MOST if limit == resource.RLIM_INFINITY else min(MOST, limit)
