"""The outer layers of a container: zlib inside of libsodium's secretstream, in chunks of 64 KiB. Used by the folder
worker, and by the daemon for checkpoints.

    magic, header of the stream (24 bytes), chunks of ciphertext

Each chunk is authenticated together with tenant, profile and snapshot id, and with its place in the stream. The last
one has the tag FINAL, so a container that is cut, reordered or joined from two is refused.
Source: https://doc.libsodium.org/secret-key_cryptography/secretstream
"""

import hashlib
import zlib
from typing import IO

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from pageworker_profiles.errors import SnapshotTampered

MAGIC = b"pwsnap1\n"
CHUNK_BYTES = 64 * 1024
HEADER_BYTES: int = sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES
EXTRA_BYTES: int = sodium.crypto_secretstream_xchacha20poly1305_ABYTES
TAG_FINAL: int = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
TAG_MESSAGE: int = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
ZLIB_LEVEL = 1
"""Level 6 takes four times the time of level 1 and saves a tenth of the bytes of a profile."""


class SealingWriter:
    """A file that compresses and encrypts what is written to it. `close` ends the container."""

    def __init__(self, file: IO[bytes], key: bytes, bound: bytes) -> None:
        """`bound`: what it is authenticated with, see keys.bound_to."""
        self._file = file
        self._bound = bound
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        self._digest = hashlib.sha256()
        self._squeeze = zlib.compressobj(ZLIB_LEVEL)
        self._rest = bytearray()
        self.bytes = 0
        """Of the container so far."""
        self._put(MAGIC)
        self._put(sodium.crypto_secretstream_xchacha20poly1305_init_push(self._state, key))

    @property
    def sha256(self) -> str:
        """Of the container, once it is closed."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Add plain bytes."""
        self._rest += self._squeeze.compress(data)
        self._seal_full()
        return len(data)

    def close(self) -> None:
        """Write the end. Raises OSError."""
        self._rest += self._squeeze.flush()
        self._seal_full()
        self._seal(bytes(self._rest), TAG_FINAL)

    def _seal_full(self) -> None:
        while len(self._rest) > CHUNK_BYTES:
            chunk = bytes(self._rest[:CHUNK_BYTES])
            del self._rest[:CHUNK_BYTES]
            self._seal(chunk, TAG_MESSAGE)

    def _seal(self, chunk: bytes, tag: int) -> None:
        self._put(sodium.crypto_secretstream_xchacha20poly1305_push(self._state, chunk, self._bound, tag))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)


class OpeningReader:
    """A file of the plain bytes in a container. No call returns a changed byte: it raises SnapshotTampered."""

    def __init__(self, file: IO[bytes], key: bytes, bound: bytes) -> None:
        self._file = file
        self._bound = bound
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        self._stretch = zlib.decompressobj()
        self._plain = b""
        self._final = False
        if file.read(len(MAGIC)) != MAGIC:
            raise SnapshotTampered("the container does not begin as a snapshot does")
        header = file.read(HEADER_BYTES)
        if len(header) != HEADER_BYTES:
            raise SnapshotTampered("the container is cut")
        sodium.crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, key)

    def read(self, size: int) -> bytes:
        """The next `size` plain bytes; fewer at the end."""
        found = bytearray()
        while len(found) < size:
            if not self._plain and not self._fill():
                break
            wanted = size - len(found)
            found += self._plain[:wanted]
            self._plain = self._plain[wanted:]
        return bytes(found)

    def finish(self) -> None:
        """Check that nothing is left. What was read is complete only after that."""
        if self.read(1) or not self._final or not self._stretch.eof or self._stretch.unused_data or self._file.read(1):
            raise SnapshotTampered("the container holds more than its archive, or is cut")

    def _fill(self) -> bool:
        # Never more than a chunk's worth at once: a few bytes of zlib may stand for many.
        while not self._plain:
            pending = self._stretch.unconsumed_tail
            if not pending:
                # At the end nothing is added: zlib may still hold output of what it got before.
                pending = b"" if self._final else self._open_chunk()
            try:
                self._plain = self._stretch.decompress(pending, CHUNK_BYTES)
            except zlib.error as error:
                raise SnapshotTampered(f"the container's content does not decompress: {error}") from error
            if not pending and not self._plain:
                return False
        return True

    def _open_chunk(self) -> bytes:
        sealed = self._file.read(CHUNK_BYTES + EXTRA_BYTES)
        if len(sealed) < EXTRA_BYTES:
            raise SnapshotTampered("the container is cut")
        try:
            chunk, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(self._state, sealed, self._bound)
        except CryptoError as error:
            raise SnapshotTampered(
                "the container was changed, or is that of another profile, snapshot or key"
            ) from error
        if tag not in (TAG_MESSAGE, TAG_FINAL):
            raise SnapshotTampered(f"the container has a chunk with tag {tag}")
        self._final = tag == TAG_FINAL
        return bytes(chunk)
