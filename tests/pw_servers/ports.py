"""Free loopback ports, outside of the range that outgoing connections are given."""

import random
import socket

FIRST, LAST = 12_000, 31_000


def free_port() -> int:
    """A port on which no process listens now. Another process may take it first: callers that start a server retry."""
    chosen = random.SystemRandom()
    while True:
        port = chosen.randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
