"""The configuration of the daemon's own Redis. Pure."""

from collections.abc import Mapping

from pageworker_supervisor.redis_client.users import user_lines

SOCKET = "redis.sock"
"""Relative, as every path in it: to the folder in which the server is started."""


def server_config(port: int, prefix: str, passwords: Mapping[str, str]) -> str:
    """What the server reads on its standard input. Holds hashes, no password.

    Durability: every write is on disk before its reply is sent (appendfsync always), so neither a kill nor a power cut
    loses anything. With `everysec` a kill can: while the disk is slow, Redis acknowledges for up to two seconds what it
    has not even given to the kernel.
    """
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        # The worker's own way: nobody else can listen there while Redis is away, and be told the password.
        f"unixsocket {SOCKET}",
        "unixsocketperm 700",
        "protected-mode yes",
        "daemonize no",
        "loglevel notice",
        "appendonly yes",
        "appendfsync always",
        'save ""',
        # Jobs must never be thrown away to make room.
        "maxmemory-policy noeviction",
        "tcp-keepalive 60",
        # These cannot be given back by any right.
        "enable-debug-command no",
        "enable-module-command no",
        "enable-protected-configs no",
        *user_lines(prefix, passwords),
    ]
    return "\n".join(lines) + "\n"
