"""The addresses of this host, and plain servers on it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def own_addresses(family: socket.AddressFamily) -> list[str]:
    """Addresses of this host: those of outgoing connections, and those that its own name resolves to."""
    found = set()
    for far in ("192.0.2.1", "2001:db8::1"):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((far, 9))
                found.add(sock.getsockname()[0])
            except OSError:
                continue
    with suppress(OSError):
        found |= {str(row[4][0]) for row in socket.getaddrinfo(socket.gethostname(), None, family)}
    return sorted(found - {"127.0.0.1", "::1"})


def answering(server: socket.socket) -> None:
    """Answer each client that sends something, until the server is shut down."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.settimeout(0.3)  # one that says nothing is not waited for
        with connection, suppress(OSError):
            if connection.recv(64):
                connection.sendall(b"hello")


@contextmanager
def answering_servers(*servers: socket.socket) -> Iterator[None]:
    """Each of them answers for the block, and is closed with it."""
    threads = [threading.Thread(target=answering, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        for thread in threads:
            thread.join()
