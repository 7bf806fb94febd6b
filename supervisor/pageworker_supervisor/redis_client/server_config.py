"""The configuration of the embedded Redis. Pure."""

from collections.abc import Mapping

from pageworker_supervisor.redis_client.users import user_lines

SOCKET = "redis.sock"
"""Relative to the working directory of the server, as every path in its configuration."""
FSYNC = "always"
MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Of one text that a client sends."""


def server_config(port: int, prefix: str, passwords: Mapping[str, str], *, group: bool = False) -> str:
    """The text that the server reads from its standard input. It holds hashes of the passwords, no password.

    `group`: the group of the server's folder, which is the daemon's, may connect to the socket.

    Durability: Redis syncs every write to disk before it replies (appendfsync always), so neither a kill nor a power
    cut loses an acknowledged write. With `everysec` a kill could: while the disk is slow, Redis acknowledges writes for
    up to two seconds before it passes them to the kernel.
    """
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        # For the worker: no other user can listen on this path while Redis is down, and receive the password.
        f"unixsocket {SOCKET}",
        f"unixsocketperm {777 if group else 700}",
        "protected-mode yes",
        "daemonize no",
        "loglevel notice",
        "appendonly yes",
        f"appendfsync {FSYNC}",
        'save ""',
        # Redis must never evict jobs to free memory.
        "maxmemory-policy noeviction",
        "tcp-keepalive 60",
        # A worker reads a pushed text as a whole. Redis' default is 512 MiB. The largest texts of a worker are results,
        # which have a few MiB.
        f"proto-max-bulk-len {MAX_TEXT_BYTES}",
        # No permission of a user can enable these again.
        "enable-debug-command no",
        "enable-module-command no",
        "enable-protected-configs no",
        *user_lines(prefix, passwords),
    ]
    return "\n".join(lines) + "\n"
