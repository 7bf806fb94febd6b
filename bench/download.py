"""A large download: `python -m bench.download FD BYTES [CERTIFICATE KEY]` serves it, `download` fetches it.

The server is a process of its own. The client uses plain sockets, as curl does, the same code by each way.
"""

import contextlib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from bench.fixtures import Certificate, ended_with_block

HOST = "site.example"
PIECE = bytes(1024 * 1024)
HEAD_BYTES = 65536
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The certificate is the measurement's own."""
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


@contextlib.contextmanager
def download_server(size: int, certificate: Certificate | None = None) -> Iterator[int]:
    """Serve `size` bytes. Yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        descriptor = sock.fileno()
        files = (str(certificate.certificate), str(certificate.key)) if certificate else ()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.download", str(descriptor), str(size), *files], pass_fds=[descriptor]
        )
        with ended_with_block(process):
            yield sock.getsockname()[1]


def download(port: int, size: int, *, proxy: bool, tls: bool) -> float:
    """Bytes per second of one download from the server at `port`, or through the proxy there. Raises OSError."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as plain:
        if proxy and tls:
            plain.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
            if not plain.recv(HEAD_BYTES).startswith(b"HTTP/1.1 200 "):
                raise ConnectionError("the proxy refused the tunnel")
        connection = TRUSTING.wrap_socket(plain, server_hostname=HOST) if tls else plain
        target = f"http://{HOST}/" if proxy and not tls else "/"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        received, buffer = 0, bytearray(len(PIECE))
        while count := connection.recv_into(buffer):
            received += count
        if tls:
            connection.close()
    if received < size:
        raise ConnectionError(f"{received} of {size} bytes came")
    return size / (time.perf_counter() - began)


def _serve(connection: socket.socket, size: int, context: ssl.SSLContext | None) -> None:
    # A client that leaves ends its own download alone.
    with contextlib.suppress(OSError), connection:
        secure = context.wrap_socket(connection, server_side=True) if context else connection
        secure.recv(HEAD_BYTES)
        secure.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nContent-Length: {size}\r\n\r\n".encode())
        left = size
        while left > 0:
            secure.sendall(PIECE if left >= len(PIECE) else PIECE[:left])
            left -= len(PIECE)
        secure.close()


def main() -> None:
    """Serve until killed."""
    listener, size, files = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), sys.argv[3:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if files else None
    if context is not None:
        context.load_cert_chain(*files)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, size, context), daemon=True).start()


if __name__ == "__main__":
    main()
